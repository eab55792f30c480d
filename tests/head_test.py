"""The head: branches put together once, a pure function of all that it is given."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import geometry
from emojax import head as heads
from emojax.splatting import composite
from emojax.types import Camera, Condition
from tests.training import small

SIZE = 32
BACKDROP = jax.random.uniform(jax.random.key(9), (SIZE, SIZE, 3))


@pytest.fixture(scope="module")
def head():
    made = heads.init(jax.random.key(0), small.HEAD)
    # Networks start near zero: here what they hear and show must be seen.
    louder = jax.tree.map(lambda x: 3 * x, (made.face_motion, made.mouth_motion))
    return made.replace(face_motion=louder[0], mouth_motion=louder[1])


@pytest.fixture(scope="module")
def camera():
    pose = geometry.look_at(jnp.array([0, 0, 0.8]), jnp.zeros(3), jnp.array([0.0, 1, 0]))
    return Camera(pose, jnp.full(2, 70.0), jnp.full(2, SIZE / 2), width=SIZE, height=SIZE)


def _condition(seed=1):
    example = small.HEAD.example()
    keys = jax.random.split(jax.random.key(seed))
    return example.replace(
        audio=jax.random.normal(keys[0], example.audio.shape),
        action_units=jax.random.uniform(keys[1], example.action_units.shape, maxval=3.0),
    )


def _image(head, condition, camera):
    return heads.render(head, condition, camera, BACKDROP).image


def test_it_starts_as_configured(head):
    assert int(head.face.count()) == small.HEAD.face_points
    assert head.mouth.capacity == small.HEAD.mouth_capacity
    assert head.face.degree == small.HEAD.degree
    assert float(jnp.abs(head.face.means).max()) <= small.HEAD.start_box


def test_two_keys_give_two_heads():
    a, b = (heads.init(jax.random.key(k), small.HEAD) for k in (0, 1))
    assert bool((a.face.means != b.face.means).any())
    assert bool((a.face.means[:60] != a.mouth.means[:60]).any())


def test_it_is_face_over_mouth_over_backdrop(head, camera):
    condition = _condition()
    face, _ = heads.draw(head, "face", condition, camera)
    mouth, _ = heads.draw(head, "mouth", condition, camera)
    whole = heads.render(head, condition, camera, BACKDROP)
    behind = composite.over(mouth.image, mouth.alpha, BACKDROP)
    np.testing.assert_allclose(
        whole.image, composite.over(face.image, face.alpha, behind), atol=1e-6
    )
    np.testing.assert_array_equal(whole.face_alpha, face.alpha)
    assert int(whole.overflow) == 0


def test_without_gaussians_there_is_the_backdrop(head, camera):
    nobody = jnp.zeros_like
    empty = head.replace(
        face=head.face.replace(alive=nobody(head.face.alive)),
        mouth=head.mouth.replace(alive=nobody(head.mouth.alive)),
    )
    np.testing.assert_array_equal(_image(empty, _condition(), camera), BACKDROP)


def test_sound_moves_both_and_expression_the_face_alone(head):
    quiet, loud = _condition(), _condition(2)
    shown = quiet.replace(action_units=loud.action_units)
    heard = quiet.replace(audio=loud.audio)
    for branch, sees in (("face", True), ("mouth", False)):
        means = [heads.move(head, branch, c).means for c in (quiet, shown, heard)]
        assert bool((means[0] != means[1]).any()) == sees
        assert bool((means[0] != means[2]).any())


def test_a_blink_passes_as_it_is(head):
    shut = _condition().replace(action_units=_condition().action_units.at[-1].set(2.0))
    beyond = shut.replace(action_units=shut.action_units.at[-1].set(5.0))
    a, b = (heads.motion(head, "face", c).means for c in (shut, beyond))
    np.testing.assert_array_equal(a, b)


def test_attention_is_drawn_beside_the_colour(head, camera):
    plain, _ = heads.draw(head, "face", _condition(), camera, background=jnp.ones(3))
    both, motion = heads.draw(
        head, "face", _condition(), camera, background=jnp.ones(3), attention=True
    )
    assert both.image.shape == (SIZE, SIZE, 5)
    np.testing.assert_allclose(both.image[..., :3], plain.image, atol=1e-6)
    assert motion.audio_attention.shape == (head.face.capacity,)
    empty = np.asarray(both.alpha) == 0
    assert empty.any()
    np.testing.assert_array_equal(np.asarray(both.image[..., 3:])[empty], 0)


def test_vmap_over_conditions_is_the_loop(head, camera):
    conditions = [_condition(seed) for seed in range(3)]
    batch = jax.tree.map(lambda *x: jnp.stack(x), *conditions)
    together = jax.vmap(_image, (None, 0, None))(head, batch, camera)
    for image, condition in zip(together, conditions, strict=True):
        np.testing.assert_allclose(image, _image(head, condition, camera), atol=1e-5)


EMOTIONAL = ("encoded", "raw", "combined")


def _emotional(emotion):
    config = dataclasses.replace(small.HEAD, emotion=emotion, emotion_grid=small.GRID, normals=True)
    return heads.init(jax.random.key(0), config)


@pytest.mark.parametrize("emotion", ["encoded", "raw"])
def test_an_emotion_branch_changes_nothing_at_the_start(emotion, camera):
    plain, made = heads.init(jax.random.key(0), small.HEAD), _emotional(emotion)
    happy = _condition().replace(emotion=jnp.array([0.7, 0.3]))
    np.testing.assert_array_equal(_image(made, happy, camera), _image(plain, _condition(), camera))


@pytest.mark.parametrize("emotion", EMOTIONAL)
def test_an_emotion_moves_the_face_alone_and_each_parameter_learns(emotion, camera):
    made = _emotional(emotion)
    name = "face_motion" if emotion == "combined" else "emotion_motion"
    made = made.replace(**{name: _louder(getattr(made, name))})
    happy, sad = (_condition().replace(emotion=jnp.array(e)) for e in ([0.7, 0.3], [-0.6, -0.4]))
    for branch, moves in (("face", True), ("mouth", False)):
        means = [heads.move(made, branch, c).means for c in (happy, sad)]
        assert bool((means[0] != means[1]).any()) == moves
    weights = jax.random.normal(jax.random.key(5), (SIZE, SIZE, 3))
    gradient = jax.grad(
        lambda p: jnp.sum(weights * _image(made.replace(**{name: p}), happy, camera))
    )(getattr(made, name))
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert bool((leaf != 0).any()), jax.tree_util.keystr(path)


def _louder(params):
    """Networks as training makes them: nothing is zero."""
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(7), len(leaves))
    return jax.tree.unflatten(
        structure,
        [x + 0.3 * jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)],
    )


def test_a_head_without_emotion_refuses_one(head, camera):
    with pytest.raises(ValueError, match="no emotion branch"):
        _image(head, _condition().replace(emotion=jnp.zeros(2)), camera)


def test_a_sweep_over_emotions_is_the_loop(camera):
    made = _emotional("encoded")
    made = made.replace(emotion_motion=_louder(made.emotion_motion))
    emotions = jnp.array([[0.7, 0.3], [0.0, 0.0], [-0.5, 0.5]])
    sweep = jax.vmap(_image, (None, Condition(None, None, 0), None))
    images = sweep(made, _condition().replace(emotion=emotions), camera)
    for image, emotion in zip(images, emotions, strict=True):
        alone = _image(made, _condition().replace(emotion=emotion), camera)
        np.testing.assert_allclose(image, alone, atol=1e-5)


def test_normals_are_drawn_beside_the_colour(camera):
    made = _emotional("none")
    plain, _ = heads.draw(made, "face", _condition(), camera, background=jnp.ones(3))
    both, _ = heads.draw(
        made,
        "face",
        _condition(),
        camera,
        background=jnp.ones(3),
        attention=True,
        normals="residuals",
    )
    assert both.image.shape == (SIZE, SIZE, 8)
    np.testing.assert_allclose(both.image[..., :3], plain.image, atol=1e-6)
    lengths = np.linalg.norm(both.image[..., 5:], axis=-1)
    assert (lengths <= np.asarray(both.alpha) + 1e-5).all()
    assert lengths.max() > 0.3
    assert float(both.image[..., 7].max()) > 0


def test_the_two_ways_to_draw_normals_differ_in_what_their_gradient_reaches(camera):
    made = _emotional("none")
    weights = jax.random.normal(jax.random.key(5), (SIZE, SIZE, 3))

    def drawn(reach):
        def value(face):
            head = made.replace(face=face)
            rendering, _ = heads.draw(head, "face", _condition(), camera, normals=reach)
            return jnp.sum(weights * rendering.image[..., 3:])

        return jax.value_and_grad(value, allow_int=True)(made.face)

    (one, residuals), (two, means) = drawn("residuals"), drawn("means")
    np.testing.assert_allclose(one, two, rtol=1e-4)
    np.testing.assert_allclose(residuals.normals, means.normals, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(residuals.means, 0)
    assert float(jnp.abs(means.means).max()) > 0
    for name in ("quaternions", "scales", "opacities", "harmonics"):
        for gradient in (residuals, means):
            np.testing.assert_array_equal(getattr(gradient, name), 0)


def test_every_parameter_gets_a_gradient(head, camera):
    weights = jax.random.normal(jax.random.key(5), (SIZE, SIZE, 3))
    gradient = jax.jit(
        jax.grad(lambda h: jnp.sum(weights * _image(h, _condition(), camera)), allow_int=True)
    )(head)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            continue
        name = jax.tree_util.keystr(path)
        assert bool(jnp.isfinite(leaf).all()), name
        assert bool((leaf != 0).any()), name
