"""The one door to OpenCV: `from emojax.opencv import cv2`.

The desktop build, `opencv-python`, needs libGL and friends, which a bare server lacks; its import
then fails with the name of a shared library and nothing else. Here the message says what to do.
"""

from __future__ import annotations

try:
    import cv2
except ImportError as error:
    raise ImportError(
        f"OpenCV cannot be imported ({error}). On a machine without a display library, install its "
        "headless build instead: pip uninstall -y opencv-python; pip install opencv-python-headless"
    ) from error

__all__ = ["cv2"]
