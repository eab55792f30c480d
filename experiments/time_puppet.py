"""Times the puppet: whole films with all truth, by size, and what each part of a frame costs.

    python experiments/time_puppet.py --out benchmarks/puppet_cpu

Five minutes on two cores. Writes OUT.json (all numbers, machine, this command) and OUT.md. A film
is timed from the first frame to the finished folder, its programs compiled before. "CPU ms" is the
work of all threads for a frame: on a busy machine it says more than the clock. "Times the limit"
compares the frame rate with 45, 12 and 3 a second at 128, 256 and 512 pixels. On an accelerator
pictures are drawn 8 at once, too.
"""

import json
import os
import pathlib
import platform
import tempfile
import time
from collections.abc import Callable

import jax
import numpy as np
from absl import app, flags

from emojax.data import audio, files
from emojax.puppet import body, film, landmarks, lens, masks, picture, population, take
from emojax.puppet.film import Format

_OUT = flags.DEFINE_string("out", None, "files to write, without suffix", required=True)
_SIZES = flags.DEFINE_list("sizes", ["128", "256", "512"], "sides of the pictures, pixels")
_FRAMES = flags.DEFINE_integer("frames", 100, "of each film", lower_bound=25)
_WORKERS = flags.DEFINE_integer("workers", 2, "threads of the film", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 9, "turns of each part", lower_bound=1)

LIMITS = {128: 45.0, 256: 12.0, 512: 3.0}
SEED = 7
BATCH = 8


def plan(num_frames: int) -> take.Take:
    """Returns a take in which lips, head and lids move."""
    time_ = np.arange(num_frames * take.HOP) / audio.RATE
    beat = np.sin(np.pi * 4 * time_) ** 2
    sound = 0.3 * beat * np.sin(2 * np.pi * 130 * time_) * (1 + np.sin(2 * np.pi * 640 * time_))
    return take.sound(population.cast(SEED), np.float32(sound))


def clock(function: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Returns wall and CPU milliseconds of a call, medians."""
    function()
    spent = []
    for _ in range(rounds):
        begin, begin_cpu = time.perf_counter(), time.process_time()
        function()
        spent.append((time.perf_counter() - begin, time.process_time() - begin_cpu))
    return tuple(1000 * np.median(spent, axis=0))


def parts(planned: take.Take, size: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Returns wall and CPU milliseconds of the parts of a frame, by name."""
    camera = jax.device_get(lens.camera(planned.actor.lens, size))
    actor, acted = jax.device_get((planned.actor, planned.performance.controls))
    instant = jax.tree.map(lambda leaf: leaf[len(planned) // 2], acted)

    def draw() -> picture.Picture:
        drawn = picture.draw(actor.identity, instant, camera, scene=actor.scene, samples=4)
        return jax.block_until_ready(drawn)

    hidden = film.near_the_body(masks.to_labels(np.asarray(draw().labels)))
    made = {
        "draw": draw,
        "landmarks": lambda: jax.block_until_ready(
            landmarks.landmarks(actor.identity, instant, camera)
        ),
        "body behind the head": lambda: jax.block_until_ready(
            body.behind(actor.identity, instant, camera, actor.scene, hidden)
        ),
    }
    found = {name: clock(function, rounds) for name, function in made.items()}
    if jax.default_backend() != "cpu":
        many = jax.tree.map(lambda leaf: np.stack([leaf] * BATCH), instant)
        at_once = jax.jit(
            jax.vmap(
                lambda act: picture.draw(actor.identity, act, camera, scene=actor.scene, samples=4)
            )
        )
        wall, cpu = clock(lambda: jax.block_until_ready(at_once(many)), rounds)
        found[f"draw, {BATCH} at once"] = (wall / BATCH, cpu / BATCH)
    return found


def shoot(planned: take.Take, size: int, workers: int) -> tuple[float, float]:
    """Returns wall and CPU milliseconds of a frame of a film with all truth."""
    with tempfile.TemporaryDirectory() as folder:
        begin, begin_cpu = time.perf_counter(), time.process_time()
        film.shoot(planned, pathlib.Path(folder) / "film", form=Format(size=size), workers=workers)
        spent = time.perf_counter() - begin, time.process_time() - begin_cpu
    return tuple(1000 * each / len(planned) for each in spent)


def table(rows: list[dict]) -> str:
    """Returns the rows as Markdown."""
    lines = ["| size | what | ms | CPU ms | a second | times the limit |", "| --- " * 6 + "|"]
    for row in rows:
        limit = "" if row["times_limit"] is None else f"{row['times_limit']:.2f}"
        lines.append(
            f"| {row['size']} | {row['what']} | {row['ms']:.2f} | {row['cpu_ms']:.2f} "
            f"| {1000 / row['ms']:.1f} | {limit} |"
        )
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    planned = plan(_FRAMES.value)
    rows = []
    for size in map(int, _SIZES.value):
        shoot(plan(25), size, _WORKERS.value)  # compiles
        compiled = picture._draw._cache_size()
        wall, cpu = shoot(planned, size, _WORKERS.value)
        if picture._draw._cache_size() != compiled:
            raise AssertionError("a frame of the film was compiled anew")
        limit = LIMITS.get(size)
        rows.append(
            {
                "size": size, "what": "film with all truth", "ms": wall, "cpu_ms": cpu,
                "times_limit": None if limit is None else 1000 / wall / limit,
            }
        )  # fmt: skip
        for name, (wall, cpu) in parts(planned, size, _ROUNDS.value).items():
            rows.append(
                {"size": size, "what": name, "ms": wall, "cpu_ms": cpu, "times_limit": None}
            )
        print(table(rows), flush=True)
    report = {
        "command": "experiments/time_puppet.py "
        f"--sizes={','.join(_SIZES.value)} --frames={_FRAMES.value} --workers={_WORKERS.value}",
        "machine": {
            "platform": platform.platform(),
            "cores": os.cpu_count(),
            "device": jax.devices()[0].device_kind,
            "jax": jax.__version__,
        },
        "rows": rows,
    }
    out = pathlib.Path(_OUT.value)
    files.write_text(out.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
    files.write_text(out.with_suffix(".md"), table(rows))


if __name__ == "__main__":
    app.run(main)
