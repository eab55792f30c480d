import numpy as np
import pytest

from emojax.data import face68


def test_the_mean_shape_is_mirror_symmetric():
    mirrored = face68.MEAN_SHAPE[face68.MIRROR] * [-1, 1, 1]
    np.testing.assert_allclose(mirrored, face68.MEAN_SHAPE)
    np.testing.assert_array_equal(face68.MIRROR[face68.MIRROR], np.arange(68))


def test_groups_cover_every_point_once():
    groups = face68.CONTOUR + face68.BROWS + face68.NOSE + face68.EYES + face68.LIPS
    assert sorted(groups) == list(range(68))
    assert len(face68.RIGID) == 13
    assert sorted(face68.LIDS + face68.EYE_CORNERS) == sorted(face68.EYES)


def test_measures_of_the_mean_shape():
    assert face68.eye_distance(face68.MEAN_SHAPE) == pytest.approx(89, abs=0.01)
    assert face68.lip_gap(face68.MEAN_SHAPE[None, :, :2]) == pytest.approx(5.0)
    assert 9 < face68.lid_gap(face68.MEAN_SHAPE) < 12
