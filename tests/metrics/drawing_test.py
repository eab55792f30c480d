"""A head drawn in batches is the head drawn frame by frame; a clip it does not know is refused."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from emojax import head as heads
from emojax.data.errors import DataError
from emojax.metrics import drawing, scenarios
from emojax.types import Condition
from tests.metrics.heads import emotional_head, random_head


@pytest.fixture(scope="module")
def head():
    return random_head()


def test_batches_are_their_frames_and_a_short_one_compiles_nothing_new(talk, head):
    rows = np.arange(50, 50 + scenarios.BATCH + 3)
    render = drawing.drawn_by(head, talk)
    before = drawing._draw._cache_size()
    pictures = list(render(scenarios.batches(talk, rows)))
    assert drawing._draw._cache_size() <= before + 1
    assert len(pictures) == len(rows)
    assert pictures[0].dtype == np.float32
    last = next(scenarios.batches(talk, rows[-1:]))
    units = [talk.action_units.column(n)[rows[-1]] for n in head.config.action_units]
    alone = heads.render(
        head,
        Condition(audio=jnp.asarray(last.audio[0]), action_units=jnp.asarray(units)),
        talk.camera(int(rows[-1])),
        jnp.asarray(last.backdrops[0] / np.float32(255)),
    )
    np.testing.assert_allclose(pictures[-1], alone.image, atol=1e-5)
    assert np.abs(pictures[-1] - last.backdrops[0] / 255).max() > 0.1, "the head is to be seen"


def test_other_sound_or_missing_units_are_refused(talk, head):
    other = dataclasses.replace(talk.audio, values=talk.audio.values[:, :, :29])
    with pytest.raises(DataError, match="windows of mel"):
        drawing.drawn_by(head, dataclasses.replace(talk, audio=other))
    units = dataclasses.replace(
        talk.action_units, numbers=(1, 2), values=talk.action_units.values[:, :2]
    )
    with pytest.raises(DataError, match="action unit 4"):
        drawing.drawn_by(head, dataclasses.replace(talk, action_units=units))


def test_a_head_with_emotions_shows_those_of_the_batch(talk):
    head = emotional_head()
    some = next(scenarios.batches(talk, np.arange(2)))
    happy = some._replace(valence_arousal=np.float32([[0.8, 0.2]] * 2))

    def drawn(batch, **options):
        return np.stack(list(drawing.drawn_by(head, talk, **options)([batch])))

    neutral = drawn(some._replace(valence_arousal=np.zeros((2, 2), np.float32)))
    np.testing.assert_array_equal(drawn(some), neutral)  # the clip has no emotions
    assert np.abs(drawn(happy) - neutral).max() > 0.01
    plain = drawn(happy, emotional=False)
    np.testing.assert_array_equal(plain, drawn(some, emotional=False))
    assert np.abs(plain - neutral).max() > 1e-3, "the branch moves the neutral face, too"


def test_normals_are_drawn_of_heads_that_have_some(talk, head):
    with pytest.raises(DataError, match="learned normals"):
        drawing.normals_drawn_by(head, talk)
    some = next(scenarios.batches(talk, np.arange(3)))
    drawn = list(drawing.normals_drawn_by(emotional_head(), talk)([some]))
    assert len(drawn) == 3
    lengths = np.linalg.norm(drawn[0], axis=-1)
    assert 0.5 < lengths.max() <= 1 + 1e-4
    assert drawn[0][lengths > 0.5][:, 2].mean() > 0.3, "they look at the viewer"
