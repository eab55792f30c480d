"""What a run tells while it trains: JSON lines always, TensorBoard where it is installed.

One line a dispatch in `RUN/metrics.jsonl`; a run that is resumed drops the lines of the steps that
it takes again.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from emojax.data import files

LINES, EVENTS = "metrics.jsonl", "tensorboard"


class Log:
    """Writes numbers of a run; a context manager."""

    def __init__(self, run: pathlib.Path, *, before: Mapping[str, int] | None = None):
        """Opens the log.

        Args:
          run: the run's folder.
          before: keep lines of these stages, up to these steps; all others go. None starts anew.
        """
        path = run / LINES
        kept = _kept(path, before) if before and path.exists() else []
        files.write_text(path, "".join(f"{line}\n" for line in kept))
        self._path = path
        self._lines = path.open("a", encoding="utf-8")
        self._events = _event_writer(run / EVENTS)

    @property
    def has_tensorboard(self) -> bool:
        """Whether events are written for TensorBoard, too."""
        return self._events is not None

    def write(self, stage: str, step: int, values: Mapping[str, Any], *, total_step: int) -> None:
        """Writes one line.

        Args:
          stage: name of the stage.
          step: the next step of the stage.
          values: numbers, or mappings of numbers.
          total_step: counted from the start of the run.

        Raises:
          DataError: the disk is full.
        """
        line = {"stage": stage, "step": step, "total_step": total_step, **values}
        try:
            self._lines.write(json.dumps(line) + "\n")
            self._lines.flush()
        except OSError as error:
            raise files.failed(self._path, error) from error
        if self._events is not None:
            for name, value in _flat(values):
                self._events(f"{stage}/{name}", float(value), total_step)

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the files."""
        with contextlib.suppress(OSError):  # what a full disk did not take was told of before
            self._lines.close()
        if self._events is not None:
            self._events.close()


def _kept(path: pathlib.Path, before: Mapping[str, int]) -> list[str]:
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # the line that a killed run was writing
        if entry["step"] <= before.get(entry["stage"], -1):
            kept.append(line)
    return kept


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    found = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            found.append((prefix + name, value))
    return found


class _Events:
    """Scalars for TensorBoard, without TensorFlow."""

    def __init__(self, folder: pathlib.Path, writer, summary, event):
        self._writer, self._summary, self._event = writer(str(folder)), summary, event
        self._begun = False

    def __call__(self, name: str, value: float, step: int) -> None:
        if not self._begun:
            # TensorBoard then forgets what an earlier sitting wrote from this step on.
            start = self._event.SessionLog(status=self._event.SessionLog.START)
            self._writer.add_event(
                self._event.Event(step=step, session_log=start, wall_time=time.time())
            )
            self._begun = True
        entry = self._summary.Summary(
            value=[self._summary.Summary.Value(tag=name, simple_value=value)]
        )
        self._writer.add_event(self._event.Event(summary=entry, step=step, wall_time=time.time()))

    def close(self) -> None:
        self._writer.close()


def _event_writer(folder: pathlib.Path) -> _Events | None:
    """A writer of events, or None where the extra `tensorboard` is not installed."""
    try:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        return None
    return _Events(folder, EventFileWriter, summary_pb2, event_pb2)
