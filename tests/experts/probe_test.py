"""The stored probe: it is met here, it notices a change, it covers every network."""

import numpy as np
import pytest

from emojax.experts import probe, registry
from tests.experts import golden


@pytest.mark.parametrize("name", ["deepspeech", "emo_mapping", "lpips_alex", "wav2lip_syncnet"])
def test_the_probe_is_met(name):
    errors = probe.parity(name)
    assert set(errors) == set(probe.VALUES[name])
    assert max(errors.values()) < golden.OUTPUT_GATE


def test_a_change_of_a_layer_is_noticed(monkeypatch):
    monkeypatch.setattr(probe.deepspeech, "FORGET_BIAS", 0.9)
    probe.expert._compiled.cache_clear()
    try:
        assert probe.parity("deepspeech")["logits"] > 10 * golden.OUTPUT_GATE
    finally:
        probe.expert._compiled.cache_clear()


def test_every_network_has_a_probe():
    assert set(probe.VALUES) == set(registry.names())
    for name, outputs in probe.VALUES.items():
        assert set(outputs) <= set(registry.get(name).outputs)
        for stored in outputs.values():
            assert len(stored) == probe.NUM_SAMPLES + 1
            assert stored[-1] >= np.abs(stored[:-1]).max() > 0
    assert probe.parity("none of these") is None


def test_probes_are_small():
    for name in registry.names():
        count = sum(int(np.prod(shape)) for shape in probe.small_layout(name).values())
        assert count < 120e6, name


def test_numbers_depend_on_the_text_alone():
    np.testing.assert_array_equal(probe.draw("a", (3,)), probe.draw("a", (3,)))
    assert (probe.draw("a", (3,)) != probe.draw("b", (3,))).all()
    assert probe.draw("a", (3,), kind="bytes").dtype == np.uint8
