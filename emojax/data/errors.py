"""The one error for what a user can mend: what was expected, what came, what to do."""

from __future__ import annotations


class DataError(ValueError):
    """A fault in the user's files or options.

    Attributes:
      expected: what would have been right.
      got: what was found.
      fix: what to do about it, an imperative sentence.
    """

    def __init__(self, *, expected: str, got: str, fix: str):
        end = "" if got.endswith((".", "?", "!")) else "."
        super().__init__(f"expected {expected}; got {got}{end} {fix}")
        self.expected, self.got, self.fix = expected, got, fix
