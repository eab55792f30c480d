"""Kills a training run at random points and checks that it ends in the same bits all the same.

    python experiments/resume_check.py --data DIR --out WORK --points 20 --seed 0

Trains `tiny` once without interruption and once killed (SIGKILL) at `--points` random places over
all stages, resumed each time, and compares all numbers of the last states. Says what it does on
stderr, and prints one line of JSON; the exit code is 0 when they are equal. The whole run takes one
to two minutes on a core, each point up to a minute more: it starts and compiles again.
"""

import json
import pathlib
import random
import subprocess
import sys
import time

import jax
import numpy as np
import siblings
from absl import app, flags

from emojax.training import checkpoints, record

_DATA = flags.DEFINE_string("data", None, "data set folder", required=True)
_OUT = flags.DEFINE_string("out", None, "folder to work in, empty or absent", required=True)
_POINTS = flags.DEFINE_integer("points", 20, "how often the run is killed", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "seed of the points", lower_bound=0)
_CONFIG = flags.DEFINE_enum("config", "tiny", siblings.CONFIGS, "configuration to train")

PATIENCE = 600.0  # seconds without a step: something hangs


def start(run: pathlib.Path) -> subprocess.Popen:
    """Starts a run, or resumes it where it has begun."""
    more = siblings.resume(run) or [f"--config={_CONFIG.value}"]
    command = siblings.command("train", f"--data={_DATA.value}", f"--run={run}", *more)
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def say(text: str) -> None:
    """Tells what is going on."""
    print(f"resume_check: {text}", file=sys.stderr, flush=True)


def finish(process: subprocess.Popen) -> None:
    """Waits for a run and stops if it failed."""
    try:
        _, errors = process.communicate()
    except KeyboardInterrupt:
        process.kill()
        raise
    if process.returncode:
        sys.exit(f"resume_check: training failed: {errors.strip().splitlines()[-1]}")


def last_step(run: pathlib.Path) -> int:
    """The number of steps from the start of the run, by its log."""
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    try:
        return json.loads(lines[-1])["total_step"] if lines else 0
    except ValueError:  # a line that is being written
        return 0


def kill_at(process: subprocess.Popen, run: pathlib.Path, step: int, delay: float) -> bool:
    """Kills a run some seconds after it has taken a step; False where it ended before."""
    began = time.monotonic()
    try:
        while last_step(run) < step:
            if process.poll() is not None:
                finish(process)
                return False
            if time.monotonic() - began > PATIENCE:
                sys.exit(f"resume_check: step {step} was not reached in {PATIENCE:.0f} s")
            time.sleep(0.02)
        time.sleep(delay)
    finally:
        process.kill()  # SIGKILL; nothing where it has ended
    process.communicate()
    return True


def state_numbers(run: pathlib.Path) -> dict[str, np.ndarray]:
    """All numbers of the last checkpoint, by path."""
    recipe, _ = record.read(run)
    state = checkpoints.load(run, recipe, checkpoints.places(run, recipe)[0])
    state = state.replace(key=jax.random.key_data(state.key))
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def check() -> list[str]:
    """Trains both runs, prints what was found, and returns the numbers that differ."""
    out = pathlib.Path(_OUT.value)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        sys.exit(f"resume_check: expected an empty folder; got {out}. Name another with --out.")
    whole, killed = out / "whole", out / "killed"
    say("trains without interruption")
    finish(start(whole))
    recipe, _ = record.read(whole)
    total = sum(stage.steps for stage in recipe.stages)
    draw = random.Random(_SEED.value)
    points = sorted(draw.randrange(total) for _ in range(_POINTS.value))
    done = []
    for number, point in enumerate(points, start=1):
        say(f"kills at step {point:,} of {total:,}, {number} of {len(points)}")
        # The run that was killed last may have been beyond its checkpoint: it takes steps again.
        if kill_at(start(killed), killed, point, draw.uniform(0, 0.3)):
            done.append(last_step(killed))
    say("trains to the end, and compares")
    finish(start(killed))
    a, b = state_numbers(whole), state_numbers(killed)
    same = {name for name in a.keys() & b.keys() if np.array_equal(a[name], b[name])}
    different = sorted((a.keys() | b.keys()) - same)
    print(json.dumps({"killed_at": done, "numbers": len(a), "different": different}))
    return different


def main(argv: list[str]) -> int:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    try:
        return 1 if check() else 0
    except KeyboardInterrupt:
        say("stopped; begin again in an empty folder")
        return siblings.INTERRUPTED


if __name__ == "__main__":
    app.run(main)
