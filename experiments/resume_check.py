"""Kills a training run at random points and checks that it ends in the same bits all the same.

    python experiments/resume_check.py --data DIR --out WORK --points 20 --seed 0

Trains `tiny` once without interruption and once killed (SIGKILL) at `--points` random places over
all stages, resumed each time, and compares all numbers of the last states. Prints one line of JSON;
the exit code is 0 when they are equal.
"""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import jax
import numpy as np
from absl import app, flags

from emojax.training import checkpoints

_DATA = flags.DEFINE_string("data", None, "data set folder", required=True)
_OUT = flags.DEFINE_string("out", None, "empty folder to work in", required=True)
_POINTS = flags.DEFINE_integer("points", 20, "how often the run is killed", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "seed of the points")
_CONFIG = flags.DEFINE_string("config", "tiny", "configuration to train")

TRAIN = pathlib.Path(__file__).with_name("train.py")
PATIENCE = 600.0  # seconds without a step: something hangs


def start(run: pathlib.Path, *more: str) -> subprocess.Popen:
    """Starts or resumes a run."""
    command = [sys.executable, str(TRAIN), f"--data={_DATA.value}", f"--run={run}", *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> None:
    """Waits for a run and stops if it failed."""
    _, errors = process.communicate()
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
    while last_step(run) < step:
        if process.poll() is not None:
            finish(process)
            return False
        if time.monotonic() - began > PATIENCE:
            process.kill()
            sys.exit(f"resume_check: step {step} was not reached in {PATIENCE:.0f} s")
        time.sleep(0.02)
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return True


def state_numbers(run: pathlib.Path) -> dict[str, np.ndarray]:
    """All numbers of the last checkpoint, by path."""
    recipe, _ = checkpoints.read_recipe(run)
    state = checkpoints.load(run, recipe, checkpoints.places(run, recipe)[0])
    state = state.replace(key=jax.random.key_data(state.key))
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    out = pathlib.Path(_OUT.value)
    whole, killed = out / "whole", out / "killed"
    finish(start(whole, f"--config={_CONFIG.value}"))
    recipe, _ = checkpoints.read_recipe(whole)
    total = sum(stage.steps for stage in recipe.stages)
    draw = random.Random(_SEED.value)
    points = sorted(draw.randrange(total) for _ in range(_POINTS.value))
    done = []
    for point in points:
        # The run that was killed last may have been beyond its checkpoint: it takes steps again.
        more = ["--resume"] if killed.exists() else [f"--config={_CONFIG.value}"]
        if kill_at(start(killed, *more), killed, point, draw.uniform(0, 0.3)):
            done.append(last_step(killed))
    finish(start(killed, "--resume" if killed.exists() else f"--config={_CONFIG.value}"))
    a, b = state_numbers(whole), state_numbers(killed)
    same = {name for name in a.keys() & b.keys() if np.array_equal(a[name], b[name])}
    different = sorted((a.keys() | b.keys()) - same)
    print(json.dumps({"killed_at": done, "numbers": len(a), "different": different}))
    if different:
        sys.exit(1)


if __name__ == "__main__":
    app.run(main)
