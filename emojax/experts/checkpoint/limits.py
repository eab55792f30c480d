"""What a file of weights may cost to read.

A file is measured by its own size: what it announces (a length, a shape, a ratio of compression) is
believed only within these limits, so that a small hostile file cannot fill memory or hang.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable

from emojax.experts.checkpoint import refusal

# Opcodes, fields and entries of one file: 680 tensors need 22,000, with Adam's state 78,000. Each
# costs about a microsecond and a hundred bytes.
MAX_STEPS = 1_000_000
# Bytes that reading may make out of one byte of the file, and what any file may make. Text that
# stands for bytes needs 6; trained weights hardly compress at all.
MAX_EXPANSION = 20
FREE_BYTES = 64 << 20
MAX_DIMS = 16
MAX_ELEMENTS = 1 << 31  # of one array; the largest of any official network is 2**26
MAX_WEIGHTS = 1 << 29  # of one network; the largest official one has 2**28

_MAX_KEY = 8  # parts of a tuple that is a key


@dataclasses.dataclass
class Budget:
    """What is left of the limits while one file is read.

    Attributes:
      size: of the file, bytes.
      steps: opcodes, fields and entries still allowed.
      copied: bytes that may still be made.
    """

    size: int
    steps: int = MAX_STEPS
    copied: int = -1

    def __post_init__(self):
        if self.copied < 0:
            self.copied = FREE_BYTES + MAX_EXPANSION * self.size

    def spend(self, steps: int, *, copied: int = 0) -> None:
        """Takes from what is left.

        Args:
          steps: opcodes, fields or entries.
          copied: bytes that are about to be made.

        Raises:
          CheckpointError: too little is left.
        """
        self.steps -= steps
        self.copied -= copied
        if self.steps < 0:
            raise refusal.CheckpointError(
                expected=f"a file of weights, at most {MAX_STEPS:,} parts",
                got="more parts",
                fix="Do not trust this file.",
            )
        if self.copied < 0:
            raise refusal.CheckpointError(
                expected=f"contents of at most {MAX_EXPANSION} times the file's size",
                got="a file that unfolds to more (a bomb)",
                fix="Do not trust this file.",
            )


def key(value: object) -> Hashable:
    """Returns a dictionary's key out of a file: text, bytes, an integer or a short tuple of them.

    Anything else could take forever to hash, or be made to collide.

    Args:
      value: to be the key.

    Raises:
      CheckpointError: it is something else.
    """
    parts = value if isinstance(value, tuple) and len(value) <= _MAX_KEY else (value,)
    for part in parts:
        is_integer = isinstance(part, int) and abs(part) < 1 << 63
        if not (is_integer or part is None or isinstance(part, str | bytes)):
            raise refusal.refused(f"{refusal.shown(part)} as a dictionary's key")
    return value
