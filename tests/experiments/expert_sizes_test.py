"""Full-size layouts on made-up weights."""

import json

from emojax.experts import registry
from tests.experiments import command


def test_a_network_runs_in_a_process_of_its_own(tmp_path):
    place = tmp_path / "sizes.json"
    done = command.run("expert_sizes", "--network=wav2lip_syncnet", f"--out={place}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("wav2lip_syncnet: 186 arrays, 16.4 M numbers; taken in ")
    found = json.loads(place.read_text())["networks"]["wav2lip_syncnet"]
    assert found["outputs"]["cosine"] == [1]
    assert found["gibibytes_at_most"] > 0.1


def test_an_unknown_network_is_one_readable_line():
    done = command.run("expert_sizes", "--network=wav2lip")
    assert done.returncode == 1
    assert done.stderr.startswith("expert_sizes: expected the name of a network")


def test_inputs_are_of_the_native_size():
    experiment = command.module("expert_sizes")
    for name in registry.names():
        shapes = [value.shape for value in experiment.native_inputs(name)]
        assert len(shapes) == len(registry.get(name).inputs)
    assert experiment.native_inputs("stylegan2_ada")[0].shape == (1, 18, 512)
    assert experiment.native_inputs("bisenet")[0].shape == (1, 3, 512, 512)
