import jax
import numpy as np

from emojax.data import cameras, clip, files, landmarks
from emojax.puppet import dataset, lens, rig, truth
from tests.puppet import footage


def test_true_positions_project_to_the_landmark_files():
    """Through the folder's own transforms, as readers of the folder do it."""
    folder = footage.folder()
    found = clip.load(folder)
    with np.load(folder / truth.LANDMARKS) as stored:
        positions, points = stored["positions"], stored["points"]
    seen = np.einsum("tij,tnj->tni", found.world_to_camera[:, :3, :3], positions)
    seen += found.world_to_camera[:, None, :3, 3]
    pixels = found.focal * seen[..., :2] / seen[..., 2:] + found.principal
    np.testing.assert_allclose(pixels, points, atol=2e-3)
    np.testing.assert_allclose(found.landmarks, points - 0.5, atol=1e-4)
    lms = landmarks.read_lms(folder / files.FRAMES / "7.lms")
    np.testing.assert_allclose(lms, points[7] - 0.5, atol=1e-4)


def test_the_world_is_fixed_to_the_head():
    """The camera moves around a head that does not: rigid landmarks keep their places."""
    with np.load(footage.folder() / truth.LANDMARKS) as stored:
        bridge = stored["positions"][:, 27]
    np.testing.assert_allclose(bridge, bridge[:1].repeat(len(bridge), axis=0), atol=2e-4)
    take = footage.planned()
    poses = np.asarray(jax.vmap(rig.head_to_world)(take.performance.controls))
    camera = lens.camera(take.actor.lens, 96)
    made = dataset.head_cameras(camera, poses)
    written = cameras.read_transforms(footage.folder() / files.TRANSFORMS[0])
    np.testing.assert_allclose(
        made[: len(written["numbers"])], written["world_to_camera"], atol=1e-5
    )
    assert np.ptp(made[:, 0, 3]) > 1e-4


def test_a_pixel_of_truth_leads_to_the_same_place_of_the_head_world():
    """Depth and transforms put visible landmarks where landmarks.npz has them."""
    folder = footage.folder()
    found = clip.load(folder)
    with np.load(folder / truth.LANDMARKS) as stored:
        positions, points, visible = (stored[k] for k in ("positions", "points", "visible"))
    t = 5
    depth = truth.decode_depth(truth.read_picture(folder / truth.DEPTH / f"{t}.png"))
    for k in (30, 33, 8, 27):  # on smooth skin
        assert visible[t, k]
        u, v = np.floor(points[t, k]).astype(int)
        seen = found.world_to_camera[t] @ np.append(positions[t, k], 1)
        assert abs(seen[2] - depth[v, u]) < 6e-3


def test_landmark_files_count_pixels_from_zero():
    np.testing.assert_array_equal(dataset.landmark_pixels(np.array([[0.5, 1.5]])), [[0, 1]])
