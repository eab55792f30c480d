"""How training goes, for whoever watches: a bar on a terminal, elsewhere a line a minute."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator

import tqdm

from emojax.training.loop import Report
from emojax.training.recipe import Recipe, Stage

EVERY = 60.0  # seconds between lines


def watch(recipe: Recipe) -> Callable[[Stage, Iterator[Report], int], Iterator[Report]]:
    """Returns what shows the reports of a stage on their way, for `training.run.train`.

    Args:
      recipe: that is trained.
    """

    def wrap(stage: Stage, reports: Iterator[Report], first: int) -> Iterator[Report]:
        if sys.stderr.isatty():
            return bar(stage, reports, first)
        return lines(recipe, stage, reports)

    return wrap


def bar(stage: Stage, reports: Iterator[Report], first: int) -> Iterator[Report]:
    """A progress bar of the stage with the time left, the loss and the number of Gaussians.

    Args:
      stage: that is trained.
      reports: of it.
      first: the step at which it begins.
    """
    # Containers' terminals may say that they are 0 x 0 large; tqdm would draw nothing then.
    columns, rows = shutil.get_terminal_size()
    with tqdm.tqdm(
        total=stage.steps,
        initial=first,
        desc=stage.name,
        unit=" steps",
        ncols=columns - 1,
        nrows=rows,
    ) as shown:
        for report in reports:
            shown.update(len(report.rows))
            cloud = getattr(report.state.head, stage.target, None)
            alive = "" if cloud is None else f", {int(cloud.count()):,} Gaussians"
            shown.set_postfix_str(f"loss {report.info.loss.mean():.4f}{alive}")
            yield report


def lines(
    recipe: Recipe,
    stage: Stage,
    reports: Iterator[Report],
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Report]:
    """A line each minute and at the end of the stage, on stderr.

    Args:
      recipe: that is trained.
      stage: of it.
      reports: of the stage.
      clock: seconds.
    """
    total = sum(other.steps for other in recipe.stages)
    before = sum(s.steps for s in recipe.stages[: recipe.stages.index(stage)])
    said, begun = clock(), None
    for report in reports:
        now = clock()
        # The first report was long in coming: it waited for compilation.
        begun = begun or (now, report.step)
        if now - said >= EVERY or report.step == stage.steps:
            said = now
            text = f"{stage.name}: step {report.step:,} of {stage.steps:,}"
            text += f", loss {report.info.loss.mean():.4f}"
            left = total - before - report.step
            if left and report.step > begun[1]:
                seconds = left * (now - begun[0]) / (report.step - begun[1])
                text += f", about {_duration(seconds)} left for {left:,} steps in all"
            print(f"train: {text}", file=sys.stderr, flush=True)
        yield report


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return "a minute" if minutes <= 1 else f"{minutes} minutes"
