import numpy as np

from emojax.data.labels import Label
from emojax.puppet import masks
from emojax.puppet.masks import Region


def test_every_region_has_its_label_and_every_label_its_region():
    labels = masks.to_labels(np.arange(len(Region), dtype=np.uint8))
    assert set(labels) == {int(label) for label in Label}
    assert labels[Region.TEETH] == Label.TEETH
    assert labels[Region.TONGUE] == labels[Region.MOUTH] == Label.MOUTH
    assert labels[Region.LIPS] == labels[Region.EYE] == labels[Region.BROW] == Label.FACE
    assert labels[Region.NECK] == Label.NECK
