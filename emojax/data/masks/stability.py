"""How steady label pictures are: two successive ones compared after motion is taken out.

Optical flow (DIS, Kroeger et al. 2016) carries the labels of one frame to the next; what then still
differs is flicker of the masks, besides true coverings and the flow's own errors. Regions are
judged by intersection over union (IoU), the picture by the fraction of its pixels that changed.
"""

from __future__ import annotations

import numpy as np

from emojax.data.labels import HEAD, PERSON, Label, isin
from emojax.opencv import cv2

# The inside of the mouth comes and goes with speech: it counts as face.
REGIONS = {
    "person": PERSON,
    "face": tuple(label for label in HEAD if label != Label.HAIR),
    "hair": (Label.HAIR,),
    "neck": (Label.NECK,),
    "torso": (Label.TORSO,),
}


def flow(previous: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Returns where each pixel of an image came from.

    Args:
      previous: RGB uint8 [H, W, 3], the frame before.
      image: RGB uint8 [H, W, 3].

    Returns:
      float32 [H, W, 2]: pixel (x, y) of `image` shows what was at (x, y) + flow in `previous`.
    """
    gray, previous_gray = (cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (image, previous))
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return search.calc(gray, previous_gray, None)


def warped_iou(
    previous_labels: np.ndarray, labels: np.ndarray, previous_image: np.ndarray, image: np.ndarray
) -> dict[str, float]:
    """Compares the labels of two successive frames.

    Args:
      previous_labels: uint8 [H, W] of `Label`.
      labels: uint8 [H, W] of `Label`, one frame later.
      previous_image: RGB uint8 [H, W, 3], at least 16 pixels a side.
      image: RGB uint8 [H, W, 3], one frame later.

    Returns:
      IoU of each of REGIONS, 1 for one that neither frame shows, and "changed": the fraction of the
      pixels with another label, the mouth counted as face. Pixels that came from outside the
      picture are left out.
    """
    height, width = labels.shape
    source = flow(previous_image, image)
    source[..., 0] += np.arange(width, dtype=np.float32)
    source[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    outside = 255
    warped = cv2.remap(previous_labels, source, None, cv2.INTER_NEAREST, borderValue=outside)
    inside = warped != outside
    warped, labels = warped[inside], labels[inside]
    out = {}
    for name, region in REGIONS.items():
        before, after = isin(warped, region), isin(labels, region)
        union = np.count_nonzero(before | after)
        out[name] = np.count_nonzero(before & after) / union if union else 1.0
    merged = np.arange(256, dtype=np.uint8)
    merged[[Label.MOUTH, Label.TEETH]] = Label.FACE
    out["changed"] = float(np.mean(merged[warped] != merged[labels])) if labels.size else 0.0
    return out
