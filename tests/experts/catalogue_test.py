"""The list of networks on the command line."""

import pytest

from emojax.experts import catalogue, registry
from emojax.experts.checkpoint.refusal import CheckpointError


def test_all_networks_are_listed(monkeypatch, tmp_path):
    monkeypatch.setenv("EMOJAX_WEIGHTS", str(tmp_path))
    (tmp_path / "fan.safetensors").touch()
    found = catalogue.text([])
    assert str(tmp_path) in found
    for name in registry.names():
        line = next(line for line in found.splitlines() if line.startswith(f"{name} "))
        assert ("not installed" in line) == (name != "fan")
        network = registry.get(name)
        for term in (network.task, network.licence, network.gradients, network.official):
            assert term in found
        assert f"{', '.join(network.inputs)} -> " in found


def test_one_network_is_described_whole():
    found = catalogue.text(["fan"])
    network = registry.get("fan")
    for word in (*network.inputs, *network.outputs, *network.extras, *network.further):
        assert word in found
    assert network.official in found


def test_an_unknown_name_is_refused():
    with pytest.raises(CheckpointError, match="fan"):
        catalogue.text(["fann"])
