"""What a camera adds to a picture: noise of its sensor, and the losses of video compression.

Both are options of a film, off by default: what the puppet draws is free of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np

from emojax.data import files

# Share of the noise that does not depend on light (reading); the rest grows with its root.
READING = 0.4
WORST_QUALITY = 51  # of H.264's constant rate factors, 0 is lossless
_SEED = 0x6E6F6973  # tells noise from other uses of a film's seed


def noisy(image: np.ndarray, noise: float, seed: int, frame: int) -> np.ndarray:
    """Returns a picture with the noise of a sensor; same arguments, same bits.

    Args:
      image: uint8 [H, W, 3], gamma 2 (`light.display`).
      noise: standard deviation of middle grey, grey levels; 0 for none.
      seed: of the film.
      frame: its number: noise is another one in each.

    Returns:
      uint8 [H, W, 3].
    """
    if noise == 0:
        return image
    generator = np.random.default_rng((_SEED, seed, frame))
    # Photons' deviation is the root of light; behind a square root as display it is the same for
    # all greys. Reading noise is divided by the slope of the display.
    display = image.astype(np.float32) / 255
    deviation = np.sqrt((1 - READING**2) + (READING * 0.5 / np.maximum(display, 0.125)) ** 2)
    added = noise * deviation * generator.standard_normal(image.shape, np.float32)
    return np.uint8(np.clip(image + added + 0.5, 0, 255))


def compressed(images: Iterable[np.ndarray], quality: int | None) -> Iterator[np.ndarray]:
    """Yields pictures as a video of them shows them: H.264, 4:2:0, one after another.

    Args:
      images: uint8 [H, W, 3], all of one size, even sides.
      quality: constant rate factor 0 to `WORST_QUALITY`, larger is worse; None leaves them alone.
    """
    if quality is None:
        yield from images
        return
    encoder, decoder = None, av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    for image in images:
        if encoder is None:
            encoder = _encoder(image, quality)
        for packet in encoder.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
            yield from map(_picture, decoder.decode(packet))
    if encoder is not None:
        for packet in encoder.encode(None):
            yield from map(_picture, decoder.decode(packet))
        yield from map(_picture, decoder.decode(None))


def _encoder(image: np.ndarray, quality: int) -> av.VideoCodecContext:
    """x264, which looks some frames ahead: so many are held in memory."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.height, encoder.width = image.shape[:2]
    encoder.pix_fmt = "yuv420p"
    encoder.framerate = Fraction(files.FPS)
    encoder.time_base = Fraction(1, files.FPS)
    encoder.thread_count = 1  # the same bits on any number of cores
    encoder.options = {"crf": str(quality), "preset": "veryfast", "rc-lookahead": "10"}
    encoder.open()
    return encoder


def _picture(frame: av.VideoFrame) -> np.ndarray:
    """A decoded frame as RGB."""
    return frame.to_ndarray(format="rgb24")
