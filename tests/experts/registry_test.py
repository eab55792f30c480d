"""The registry: every network of the parity data, its layouts, what a checkpoint looks like."""

import fnmatch

import pytest

from emojax.experts import registry
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

# Layouts of the parity data, and the network that reads them.
LAYOUTS = [
    *((name, name, "keys") for name in registry.names() if not name.startswith("lpips")),
    ("stylegan2_ada", "stylegan2_ada", "keys_layout_1024"),
    ("stylegan2_rosinality", "stylegan2_rosinality", "keys_layout_1024"),
    ("emo_mapping", "emo_mapping", "keys_w_variant"),
    ("e4e_encoder", "e4e_encoder", "keys_w_encoder_layout"),
    ("deepspeech", "deepspeech", "keys_layout_official"),
    ("stylegan2_rosinality", "e4e_encoder", "keys_decoder_layout_1024"),
]


def _without(keys, patterns):
    return {
        key: shape
        for key, shape in keys.items()
        if not any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)
    }


@pytest.mark.parametrize(("name", "file", "field"), LAYOUTS)
def test_layouts_are_the_originals(name, file, field):
    network = registry.get(name)
    stored = golden.shapes(file, field)
    if file != name:
        stored = {key.removeprefix("decoder."): shape for key, shape in stored.items()}
    found = _without(network.layout(stored), network.optional)
    assert found == _without(stored, (*network.optional, *network.ignored))
    assert registry.find(stored) == name


@pytest.mark.parametrize("name", ["lpips_alex", "lpips_vgg"])
def test_the_two_files_of_lpips_make_its_layout(name):
    stored = golden.shapes(name, "keys_trunk") | golden.shapes(name)
    assert registry.get(name).layout(stored) == stored


# Outputs of the parity data that no network gives: counts, and what functions give that need none.
BY_FUNCTIONS = {
    "bisenet": {"parsing_margin_below_1e-3"},
    "deepspeech": {"cell_c, cell_h"},  # deepspeech.cell
    "fan": {"emostyle_decode_*", "crop_rgb_hwc_u8"},  # heatmaps, beside emostyle_decode_net
    "stylegan2_ada": {"upfirdn2d_up2", "upsample2d", "bias_act_*"},  # upfirdn
    "stylegan2_rosinality": {"upfirdn2d_*", "fused_leaky_relu"},
    "syncnet": {"dist_matrix", "mean_dist", "av_offset", "confidence", "framewise_conf_medfilt9"},
}


def test_every_network_of_the_parity_data_is_known_with_all_its_outputs():
    stored = {path.stem for path in golden.folder().glob("*.json")}
    assert stored == set(registry.names())
    for name in sorted(stored):
        network = registry.get(name)
        given = set(network.outputs) | set(network.extras)
        assert set(golden.facts(name)["outputs"]) - given == BY_FUNCTIONS.get(name, set()), name


@pytest.mark.parametrize("name", registry.names())
def test_strange_files_get_the_usual_layout(name):
    network = registry.get(name)
    usual = network.layout({})
    assert len(usual) > 10
    for shapes in ({"a": (1,)}, dict.fromkeys(usual, ()), dict.fromkeys(usual, (1, 2, 3, 4, 5))):
        assert network.layout(shapes)


def test_every_network_says_what_it_is():
    for name in registry.names():
        network = registry.get(name)
        texts = [network.task, network.official, network.licence, network.gradients]
        assert all([*texts, *network.inputs.values(), *network.outputs.values()]), name


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(CheckpointError, match="emonet_8"):
        registry.get("emonet8")
