"""State dicts found under nestings and prefixes, the right one of several."""

import numpy as np
import pytest

from emojax.experts.checkpoint import standins, state
from emojax.experts.checkpoint.refusal import CheckpointError

SHAPES = {"a.weight": (2, 3), "a.bias": (2,), "b.weight": (1, 2)}


def weights(scale=1.0, prefix=""):
    return {prefix + key: np.full(shape, scale, np.float32) for key, shape in SHAPES.items()}


def arrange(*trees, **options):
    return state.arrange(trees, lambda shapes: SHAPES, **options)


@pytest.mark.parametrize(
    ("tree", "path", "prefix"),
    [
        (weights(), "", ""),
        ({"state_dict": weights(), "epoch": 3, "optimizer": {"state": {0: {}}}}, "state_dict", ""),
        ({"emo_mapping_state_dict": weights()}, "emo_mapping_state_dict", ""),
        ({"model": {"module": {"state_dict": weights()}}}, "model.module.state_dict", ""),
        (weights(prefix="module."), "", "module."),
        ({"state_dict": weights(prefix="module.decoder.")}, "state_dict", "module.decoder."),
        (weights(prefix="decoder.") | {"encoder.x": np.ones(9)}, "", "decoder."),
        ({key.encode(): value for key, value in weights().items()}, "", ""),
    ],
)
def test_nestings_and_prefixes_are_stripped(tree, path, prefix):
    found = arrange(tree, prefixes=["decoder."])
    assert found.arrays.keys() == SHAPES.keys()
    assert (found.path, found.prefix) == (path, prefix)


def test_the_word_module_is_stripped_inside_of_keys_too():
    tree = {"a.module.weight": np.ones((2, 3)), "a.module.bias": np.ones(2)}
    found = arrange(tree | {"b.weight": np.ones((1, 2))})
    assert found.prefix == "module."


def test_the_moving_average_is_taken_of_several():
    tree = {"g": weights(1.0), "d": {"x": np.ones(3)}, "g_ema": weights(2.0)}
    found = arrange(tree)
    assert found.path == "g_ema"
    assert found.arrays["a.bias"][0] == 2


def test_arrays_beside_the_state_dict_are_taken_where_the_layout_names_them():
    shapes = {**SHAPES, "latent_avg": (4,)}
    tree = {"state_dict": weights(), "latent_avg": np.arange(4.0), "other": np.ones(2)}
    found = state.arrange([tree], lambda _: shapes, optional=["latent_avg"])
    np.testing.assert_array_equal(found.arrays["latent_avg"], np.arange(4))


def test_keys_of_other_releases_are_renamed_and_their_doubles_compared():
    tree = {
        "net.a.weight": np.ones((2, 3)),
        "net.a.bias": np.ones(2),
        "lin.weight": np.ones((1, 2)),
        "lins.weight": np.ones((1, 2)),
    }
    renames = [(r"^net\.", ""), (r"^lins?\.", "b.")]
    assert arrange(tree, renames=renames).arrays.keys() == SHAPES.keys()
    tree["lins.weight"] = np.zeros((1, 2))
    with pytest.raises(CheckpointError, match=r"two different ones for b\.weight"):
        arrange(tree, renames=renames)


def test_two_files_are_one_state_dict():
    whole = weights()
    first = {"state_dict": {"a.weight": whole["a.weight"], "a.bias": whole["a.bias"]}}
    found = arrange(first, {"b.weight": whole["b.weight"]})
    assert found.arrays.keys() == SHAPES.keys()
    assert found.path == "state_dict"


def test_the_layout_may_follow_the_file():
    def layout_of(shapes):
        size = shapes.get("a.bias", (2,))[0]
        return {"a.weight": (size, 3), "a.bias": (size,)}

    tree = {"state_dict": {"a.weight": np.ones((7, 3)), "a.bias": np.ones(7)}}
    assert state.arrange([tree], layout_of).arrays["a.weight"].shape == (7, 3)


@pytest.mark.parametrize("tree", [{}, [], 5, {"epoch": 3}, {"x": np.ones(2)}, {"a": {"b": {}}}])
def test_no_state_dict_of_the_network(tree):
    with pytest.raises(CheckpointError, match="a state dict of the network; got none"):
        arrange(tree)


def test_missing_and_extra_keys_of_the_best_one_are_listed():
    tree = weights() | {"c.weight": np.ones(1)}
    del tree["a.bias"]
    with pytest.raises(CheckpointError, match=r"1 missing: a\.bias; 1 extra: c\.weight"):
        arrange({"state_dict": tree})


def test_modules_give_their_state_dict():
    part = standins.Record("Conv", {"_parameters": {"weight": np.ones((2, 3)), "bias": np.ones(2)}})
    head = standins.Record("Head", {"weight": np.ones((1, 2)), "training": False})
    whole = standins.Record("Net", {"_modules": {"a": part, "b": head}, "_buffers": {"x": None}})
    found = arrange({"G_ema": whole})
    assert found.arrays.keys() == SHAPES.keys()
    assert found.path == "G_ema"


def test_modules_and_dictionaries_in_themselves_end():
    whole = standins.Record("Net", {"weight": np.ones(1)})
    whole.fields["again"] = whole
    with pytest.raises(CheckpointError, match="endless parts"):
        arrange({"model": whole})
    tree = {"x": np.ones(1)}
    tree["self"] = tree
    with pytest.raises(CheckpointError, match="got none"):
        arrange(tree)


def test_endless_state_dicts_are_refused():
    with pytest.raises(CheckpointError, match=r"20,001 arrays"):
        arrange(dict.fromkeys(range(20_001), np.ones(1)))


def test_shapes_tell_whose_the_file_may_be():
    tree = {"state_dict": weights(prefix="module."), "latent": np.ones(3)}
    assert state.shapes_of(tree) == SHAPES
    assert state.shapes_of({}) == {}
