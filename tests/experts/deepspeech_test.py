"""DeepSpeech: parity with the original from the wave to the windows, laws, what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import deepspeech
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "deepspeech"


def test_everything_from_the_wave_is_the_originals():
    wave = golden.data(NAME)["in.wave_int16_16k"]
    golden.parity(NAME, wave, skip=["cell_c", "cell_h"], is_heard=True)


def test_a_wave_or_its_vectors_give_the_same():
    network = golden.expert(NAME)
    found = network.apply(network.params, golden.data(NAME)["in.wave_int16_16k"])
    again = network.apply(network.params, found["input_vector"])
    np.testing.assert_allclose(again["logits"], found["logits"], atol=1e-5)
    assert "features_50hz" not in again


def test_a_step_of_the_cell_is_the_originals():
    data = golden.data(NAME)
    state = (data["in.cell_c"], data["in.cell_h"])
    c, h = deepspeech.cell(golden.expert(NAME).params, "fw", data["in.cell_x"], state)
    golden.check(NAME, "out.cell_c", c)
    golden.check(NAME, "out.cell_h", h)


def test_windows_stand_on_their_frames():
    steps = jnp.arange(1.0, 50.0)[:, None] * jnp.ones(29)
    found = np.asarray(deepspeech.windows(steps))
    assert found.shape == (25, 16, 29)
    np.testing.assert_array_equal(found[0, :8], 0)
    for frame in (0, 5, 12):
        np.testing.assert_array_equal(found[frame, 8], 2 * frame + 1)  # step 2t, numbered from 1


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.013, 3.37])
def test_there_is_a_step_every_20_ms_less_the_last(seconds):
    samples = round(16_000 * seconds)
    logits = jnp.zeros((len(deepspeech.input_vector(np.arange(samples))), 1, 29))
    assert len(deepspeech.features(logits, samples)) == round(50 * samples / 16_000) - 1


def test_sound_shorter_than_a_frame_is_refused():
    with pytest.raises(CheckpointError, match="at least 25 ms"):
        deepspeech.input_vector(np.zeros(300, np.int16))
