"""The one error of frozen networks for what a user can mend, and how it speaks of hostile files."""

from __future__ import annotations

from collections.abc import Iterable

_MAX_SHOWN = 120  # characters of a name out of a file
_MAX_LISTED = 8  # names in one message


class CheckpointError(ValueError):
    """A fault in a checkpoint, or in what is given to a network.

    Attributes:
      expected: what would have been right.
      got: what was found.
      fix: what to do about it, an imperative sentence.
    """

    def __init__(self, *, expected: str, got: str, fix: str):
        super().__init__(f"expected {expected}; got {got}. {fix}")
        self.expected, self.got, self.fix = expected, got, fix


def damaged(what: str) -> CheckpointError:
    """Returns the refusal of a file that ends early or contradicts itself.

    Args:
      what: is wrong with it.
    """
    return CheckpointError(
        expected="a whole file of weights", got=what, fix="Get the file again and compare its size."
    )


def refused(what: str) -> CheckpointError:
    """Returns the refusal of contents that are no weights; what they ask for was not done.

    Args:
      what: they ask for, by its name.
    """
    return CheckpointError(
        expected="tensors, arrays, dictionaries, numbers and text alone",
        got=f"{what}; nothing of the file was executed",
        fix="Do not trust this file; of one that you trust, save the state dict alone.",
    )


def shown(name: object) -> str:
    """Returns a name out of a file as one short printable line.

    Args:
      name: text, bytes or a number; of anything else its type.
    """
    if isinstance(name, str | bytes):
        text = ascii(name[: _MAX_SHOWN + 1])[1 if isinstance(name, str) else 2 : -1]
        return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
    if isinstance(name, bool | float) or name is None:
        return repr(name)
    if isinstance(name, int):
        return repr(name) if abs(name) < 1 << 64 else "a huge number"
    return f"a {type(name).__name__}"


def listed(names: Iterable[object]) -> str:
    """Returns names out of a file in one line, the first few and how many more there are.

    Args:
      names: as for `shown`.
    """
    names = list(names)
    text = ", ".join(shown(name) for name in names[:_MAX_LISTED])
    more = len(names) - _MAX_LISTED
    return text if more <= 0 else f"{text} and {more} more"
