import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.emotion import circumplex

PLACE = {unit: i for i, unit in enumerate(circumplex.ACTION_UNITS)}
# Ekman & Friesen's prototypes, with Du et al.'s in disgust and contempt with both sides.
PROTOTYPES = {
    "happy": (6, 12),
    "sad": (1, 4, 15, 17),
    "surprise": (1, 2, 5),
    "fear": (1, 2, 4, 5, 20),
    "disgust": (9, 10, 17),
    "anger": (4, 5, 7, 23),
    "contempt": (14,),
}


def disc(count, *, seed=0):
    """Points spread evenly over the disc, [count, 2]."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)


def units(points, **options):
    return np.asarray(circumplex.action_units(points[..., 0], points[..., 1], **options))


def test_neutral_shows_nothing_and_is_smooth():
    np.testing.assert_array_equal(circumplex.action_units(0, 0, mouth=1.0), np.zeros(17))
    slopes = jax.jacobian(lambda p: circumplex.action_units(p[0], p[1]))(jnp.zeros(2))
    np.testing.assert_array_equal(slopes, 0)
    near = units(1e-3 * disc(100))
    assert near.max() < 1e-3  # flatter than proportional


def test_stronger_emotions_show_more():
    angle = np.linspace(0, 2 * np.pi, 97)
    radius = np.linspace(0, 1, 41)[:, None]
    shown = units(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1), mouth=1.0)
    assert np.diff(shown, axis=0).min() > -1e-6
    assert np.diff(shown.sum(axis=-1), axis=0).min() > 0
    assert shown.min() >= 0
    assert shown.max() <= 5


def test_the_rim_continues_outside_the_disc():
    points = disc(50)
    rim = points / np.linalg.norm(points, axis=1, keepdims=True)
    np.testing.assert_allclose(units(1.7 * rim), units(rim), atol=1e-4)


def test_directions_pass_into_each_other_without_jumps_or_kinks():
    angle = np.linspace(-np.pi, np.pi, 2001)  # across the branch cut at 180 degrees, too
    shown = units(0.8 * np.stack([np.cos(angle), np.sin(angle)], axis=-1), mouth=1.0)
    slopes = np.diff(shown, axis=0) / np.diff(angle)[:, None]
    assert np.abs(slopes).max() < 20  # of 5 in 22.5 degrees
    assert np.abs(np.diff(slopes, axis=0)).max() < 0.6
    np.testing.assert_allclose(shown[0], shown[-1], atol=1e-4)


def test_rows_are_shown_as_written():
    for k, row in enumerate(circumplex.ROWS):
        angle = np.deg2rad(circumplex.STEP * k)
        shown = circumplex.action_units(np.cos(angle), np.sin(angle), mouth=1.0)
        expected = [5 * row.get(unit, 0) for unit in circumplex.ACTION_UNITS]
        np.testing.assert_allclose(shown, expected, atol=1e-3)


def test_units_have_their_roles():
    points = disc(4000)
    shown = units(points)
    for unit, axis, sign in [
        (12, 0, 1),
        (6, 0, 1),
        (15, 0, -1),
        (4, 0, -1),
        (5, 1, 1),
        (45, 1, -1),
    ]:
        correlation = np.corrcoef(shown[:, PLACE[unit]], points[:, axis])[0, 1]
        assert sign * correlation > 0.6, (unit, correlation)


def test_speech_owns_the_mouth():
    points = disc(200)
    silent, speaking = units(points, mouth=1.0), units(points)
    opening = [PLACE[25], PLACE[26]]
    np.testing.assert_array_equal(speaking[:, opening], 0)
    assert silent[:, opening].max() > 3
    others = [i for i in range(17) if i not in opening]
    np.testing.assert_array_equal(speaking[:, others], silent[:, others])


def test_each_class_shows_its_own_prototype_most():
    points = disc(4000)
    points = points[np.hypot(*points.T) > 0.3]
    shown = units(points)
    shown = shown / np.linalg.norm(shown, axis=-1, keepdims=True)
    names = list(PROTOTYPES)
    masks = np.zeros((len(names), 17))
    for i, name in enumerate(names):
        masks[i, [PLACE[unit] for unit in PROTOTYPES[name]]] = len(PROTOTYPES[name]) ** -0.5
    best = np.array(names)[np.argmax(shown @ masks.T, axis=-1)]
    labels = np.array(circumplex.CLASSES)[np.asarray(circumplex.classify(*points.T))]
    felt = labels != "neutral"
    assert np.mean(best[felt] == labels[felt]) > 0.9
    for name in names:
        at = np.array(circumplex.centre(name))
        row = units(at)
        assert names[int(np.argmax(masks @ row))] == name


def test_a_small_regressor_finds_the_point():
    def features(shown):
        shown = shown / 5
        i, j = np.triu_indices(17)
        return np.concatenate([np.ones((len(shown), 1)), shown, shown[:, i] * shown[:, j]], 1)

    train, test = disc(2000, seed=1), disc(1000, seed=2)
    for noise, limit in [(0.0, 0.03), (0.15, 0.1)]:  # of intensities 0 to 5
        rng = np.random.default_rng(3)
        seen = [units(p) + noise * rng.normal(size=(len(p), 17)) for p in (train, test)]
        x, y = (features(s) for s in seen)
        ridge = 1e-3 + noise**2
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ train)
        rmse = np.sqrt(np.mean((y @ weights - test) ** 2, axis=0))
        assert rmse.max() < limit, rmse


def test_classes_have_their_regions():
    names = {name: circumplex.centre(name) for name in circumplex.CLASSES}
    for name, point in names.items():
        assert circumplex.CLASSES[int(circumplex.classify(*point))] == name
    # Ratings of words, Russell & Mehrabian 1977.
    for name, point in {
        "happy": (0.81, 0.51),
        "surprise": (0.40, 0.67),
        "anger": (-0.51, 0.59),
        "disgust": (-0.60, 0.35),
        "sad": (-0.63, -0.27),
    }.items():
        assert circumplex.CLASSES[int(circumplex.classify(*point))] == name
    assert int(circumplex.classify(0.1, -0.1)) == 0
    assert int(circumplex.classify(0.1, -0.1, neutral_radius=0.05)) == 0  # calm
    assert circumplex.CLASSES[int(circumplex.classify(0.1, 0.0, neutral_radius=0.05))] == "happy"
    with pytest.raises(DataError, match="bored"):
        circumplex.centre("bored")


def test_the_points_are_those_of_the_paper():
    points = np.array(circumplex.POINTS)
    assert len({tuple(p) for p in points}) == 12
    np.testing.assert_allclose(np.hypot(*points.T), [0.8] * 8 + [0.5] * 4, atol=0.01)
    names = [circumplex.CLASSES[int(k)] for k in circumplex.classify(*points.T)]
    assert names == [
        *("happy", "surprise", "fear", "disgust", "sad", "sad", "neutral", "happy"),
        *("happy", "anger", "sad", "neutral"),
    ]


def test_it_maps_jits_and_differentiates():
    points = jnp.float32(disc(30))
    one = jax.jit(lambda p: circumplex.action_units(p[0], p[1]))
    np.testing.assert_allclose(jax.vmap(one)(points), units(np.asarray(points)), atol=1e-5)
    slopes = jax.vmap(jax.jacobian(one))(points)
    step = np.array([1e-2, 0])
    moved = units(np.asarray(points) + step) - units(np.asarray(points) - step)
    inside = np.hypot(*np.asarray(points).T) < 0.95
    error = np.abs(slopes[..., 0] - moved / (2 * step[0]))[inside]
    assert np.quantile(error, 0.95) < 0.1


def test_points_outside_the_disc_are_moved_with_one_warning():
    with pytest.warns(UserWarning, match="2 such points") as caught:
        valence, arousal = circumplex.inside([0.1, 3.0, 0.0], [0.2, 4.0, -2.0])
    assert len(caught) == 1
    np.testing.assert_allclose(valence, [0.1, 0.6, 0], rtol=1e-6)
    np.testing.assert_allclose(arousal, [0.2, 0.8, -1], rtol=1e-6)


@pytest.mark.filterwarnings("error")
def test_points_of_the_rim_are_no_fault():
    angle = np.linspace(0, 7, 1000)
    circumplex.inside(np.float32(np.cos(angle)), np.float32(np.sin(angle)), outside="refuse")


def test_what_cannot_be_moved_is_refused():
    with pytest.raises(DataError, match=r"\(1, 1\), 1.41 from the origin"):
        circumplex.inside(1.0, 1.0, outside="refuse")
    for bad in (np.nan, np.inf):
        with pytest.raises(DataError, match="NaN or infinity"):
            circumplex.inside([0.0, bad], [0.0, 0.0])
