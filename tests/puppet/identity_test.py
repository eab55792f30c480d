import jax
import numpy as np

from emojax.puppet import identity


def _population(count):
    people = jax.vmap(identity.sample)(jax.random.split(jax.random.key(3), count))
    return {name: np.asarray(getattr(people, name)) for name in identity.Identity.__annotations__}


def test_people_stay_within_their_ranges_and_differ():
    people = _population(300)
    for name, values in people.items():
        low = 0 if name in identity.LOOKS else -1
        assert np.isfinite(values).all(), name
        assert values.min() >= low, name
        assert values.max() <= 1, name
        assert np.std(values) > 0.05, name


def test_the_same_key_gives_the_same_person():
    a, b = identity.sample(jax.random.key(7)), identity.sample(jax.random.key(7))
    assert all(np.array_equal(x, y) for x, y in zip(*map(jax.tree.leaves, (a, b)), strict=True))


def test_voices_belong_to_faces():
    people = _population(400)
    assert np.corrcoef(people["voice_pitch"], people["jaw_width"])[0, 1] < -0.2
    assert np.corrcoef(people["voice_tract"], people["jaw_width"])[0, 1] < -0.3
    assert np.corrcoef(people["melanin"], people["iris_melanin"])[0, 1] > 0.5


def test_the_average_is_average():
    person = identity.average()
    assert all(float(getattr(person, name)) == 0 for name in identity.BUILD)
