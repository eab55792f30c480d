"""Times splatting and the tri-plane encoder: kernels, plain XLA, a yardstick, a limit, in one run.

    python experiments/time_kernels.py --out benchmarks/kernels_cpu --probe PATH/splat_probe.cpp

About five minutes on two cores (--grid=small: one). Writes OUT.json (every number, the machine and
this command), OUT.md (tables) and OUT.png (plot). Medians over rounds in which all contestants take
turns, so that a machine whose speed drifts slows all of them alike; compare ratios, not times.

* yardstick: an optional C++ program that splats a cloud of the same size and footprint with nothing
  in its way (RGB, no projection, no gradients of 3D parameters) and prints JSON: --probe names its
  source, compiled here with g++ -O3 for AVX2, two threads.
* limit: what the arithmetic of the visible fragments would take at the multiply-add rate that a
  large matrix product reaches in the same run: fragments x (14 + C) operations forward, and
  x (14 + 2 C) backward. It counts no sorting, no binning, no half-empty vector.

    python experiments/time_kernels.py --out benchmarks/kernels_gpu --grid gpu

On a GPU: the same clouds beside gsplat, where it is installed, in one process (side_by_side.py):
time to call, time in a queue, time of the device; agreement, pairs and memory; both forms of the
way back; limits, and a roofline (gpu_figures.py). About two minutes. (--grid gpu_tiny: to see that
it runs, on anything.)
"""

import importlib.util
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import gpu_figures
import jax
import jax.numpy as jnp
import numpy as np
import side_by_side
from absl import app, flags

from emojax import native, splatting
from emojax.encoders import triplane
from emojax.splatting import project
from emojax.types import Camera

_OUT = flags.DEFINE_string("out", None, "files to write, without suffix", required=True)
_PROBE = flags.DEFINE_string("probe", "", "C++ source of the yardstick; skipped where absent")
_GRID = flags.DEFINE_enum(
    "grid", "full", ["full", "small", "tiny", "gpu", "gpu_tiny"], "which cases"
)
_ROUNDS = flags.DEFINE_integer("rounds", 9, "turns of each contestant", lower_bound=1)

SIZE = 512
# (Gaussians, footprint sigma in pixels, images, channels); the first is the case of the targets.
BASE = (30_000, 2.0, 1, 3)
GRID = {
    "tiny": [(200, 3.0, 2, 3)],
    "small": [BASE, (30_000, 2.0, 1, 10)],
    "full": [
        BASE,
        (30_000, 2.0, 1, 10),
        (30_000, 2.0, 8, 3),
        (30_000, 1.5, 1, 3),
        (30_000, 5.0, 1, 3),
        (10_000, 3.0, 1, 3),
        (100_000, 1.5, 1, 3),
        (1_000, 3.0, 1, 3),
    ],
}
# Beside gsplat; those of the figures first, in case that time runs out.
GPU_GRID = {
    "gpu_tiny": [(200, 3.0, 2, 3)],
    "gpu": [
        (*gpu_figures.BASE, 1, 3),
        (*gpu_figures.BASE, 16, 3),
        (*gpu_figures.BASE, 16, 10),
        (*gpu_figures.BASE, 1, 10),
        (10_000, 3.0, 1, 3),
        (100_000, 3.0, 1, 3),
        (30_000, 1.5, 1, 3),
        (30_000, 5.0, 1, 3),
        (30_000, 3.0, 4, 3),
        (30_000, 3.0, 64, 3),
    ],
}
# How our kernels are told to work, in the cases that decide between the ways back. XLA makes a
# graph of five operations in a row; a call of ours is one, which must be said to be enough.
VARIANTS = {
    "ours": side_by_side.Variant(),
    "ours, one graph": side_by_side.Variant(options={"xla_gpu_graph_min_graph_size": 1}),
    "ours, back by splat": side_by_side.Variant(
        settings={"EMOJAX_SPLAT_BACKWARD": "splat"}, passes=("both",)
    ),
    "ours, deterministic": side_by_side.Variant(
        settings={"EMOJAX_DETERMINISTIC": "1"}, passes=("both",)
    ),
}
VARIED = [(*gpu_figures.BASE, images, channels) for images in (1, 16) for channels in (3, 10)]
# Plain XLA takes seconds an image: only these, a few turns.
XLA_CASES = [(1_000, 3.0, 1, 3), BASE]
XLA_ROUNDS = 2


def make_scene(num: int, sigma: float, images: int, channels: int) -> tuple[list, Camera]:
    """Returns the yardstick's cloud, lifted to 3D, and its camera.

    Args:
      num: Gaussians.
      sigma: median footprint, pixels.
      images: batch; means differ a little between images.
      channels: of the features.
    """
    rng = np.random.default_rng(0)
    focal = 2.0 * SIZE
    z = rng.uniform(1, 1.4, num)
    spread = np.array([110, 120]) / 512 * SIZE
    means = np.column_stack([rng.normal(size=(num, 2)) * spread * z[:, None] / focal, z])
    means = means + 1e-3 * rng.normal(size=(images, 1, 3))
    arrays = [
        means,
        rng.normal(size=(num, 4)),
        sigma * np.exp(0.4 * rng.normal(size=(num, 3))) * z[:, None] / focal,
        1 / (1 + np.exp(-1.5 * rng.normal(size=num))),
        rng.uniform(size=(num, channels)),
    ]
    camera = Camera(
        world_to_camera=jnp.eye(4),
        focal=jnp.full(2, focal),
        principal=jnp.full(2, SIZE / 2),
        width=SIZE,
        height=SIZE,
    )
    return [jnp.asarray(x, jnp.float32) for x in arrays], camera


def splat_calls(case: tuple, implementation: str) -> dict[str, Callable]:
    """Returns the calls to time, forward and backward, compiled and warm; and the pair count.

    Args:
      case: of `GRID`.
      implementation: of splatting.
    """
    (means, *rest), camera = make_scene(*case)
    # All operands are batched, so that an image costs the same alone and in a batch: the gradient
    # of a shared operand would be summed over the batch by JAX, after the kernel.
    arrays = [means, *(jnp.tile(x, (len(means), *[1] * x.ndim)) for x in rest)]

    def run(*arrays):
        out = splatting.splat(*arrays, camera, implementation=implementation)
        return out.image, out.num_pairs

    batched = jax.vmap(run)
    forward = jax.jit(lambda *a: batched(*a)[0])
    images, pull, pairs = jax.vjp(batched, *arrays, has_aux=True)
    rng = np.random.default_rng(1)
    cotangent = jnp.asarray(rng.normal(size=images.shape), jnp.float32)
    backward = jax.jit(lambda pull, cotangent: pull(cotangent))
    calls = {
        "forward": lambda: jax.block_until_ready(forward(*arrays)),
        "backward": lambda: jax.block_until_ready(backward(pull, cotangent)),
    }
    for call in calls.values():
        call()
    return calls | {"pairs": int(pairs[0])}


def encoder_calls(implementation: str) -> dict[str, Callable]:
    """Returns the encoder's calls to time, on 30,000 points with TalkingGaussian's face planes.

    Args:
      implementation: of the encoder.
    """
    config = triplane.TALKING_GAUSSIAN_FACE
    tables = triplane.init(jax.random.key(0), config)
    points = jax.random.uniform(
        jax.random.key(1), (30_000, 3), minval=-config.bound, maxval=config.bound
    )

    def encode(tables, points):
        return triplane.encode(tables, points, config, implementation=implementation)

    def everything(tables, points):
        codes, pull = jax.vjp(encode, tables, points)
        return codes, pull(codes)

    forward, both = jax.jit(encode), jax.jit(everything)
    calls = {
        "encode": lambda: jax.block_until_ready(forward(tables, points)),
        "encode and all gradients": lambda: jax.block_until_ready(both(tables, points)),
    }
    for call in calls.values():
        call()
    return calls


def count_fragments(case: tuple) -> float:
    """Returns how many (pixel, Gaussian) fragments reach alpha 1/255 in one image.

    Args:
      case: of `GRID`.
    """
    (means, quaternions, scales, opacities, _), camera = make_scene(*case)
    splats = project.project(means[0], quaternions, scales, opacities, camera)
    a, b, c = np.moveaxis(np.asarray(splats.conics, np.float64), -1, 0)
    reach = 2 * np.log(np.maximum(255 * np.asarray(splats.opacities, np.float64), 1))
    return float(np.sum(np.pi * reach / np.sqrt(a * c - b * b) * np.asarray(splats.alive)))


def multiply_adds_per_second() -> float:
    """Returns the rate that a large float32 matrix product reaches, multiply-adds per second."""
    n = 2048
    x = jnp.ones((n, n), jnp.float32)
    product = jax.jit(lambda x: x @ x)
    jax.block_until_ready(product(x))
    return n**3 / min(seconds(lambda: jax.block_until_ready(product(x))) for _ in range(5))


def seconds(call: Callable) -> float:
    """Returns how long one call takes.

    Args:
      call: without arguments.
    """
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def build_probe(source: str, folder: str) -> str | None:
    """Compiles the yardstick; returns its path, or None and a printed reason.

    Args:
      source: path, may be empty.
      folder: where to.
    """
    if not source or not pathlib.Path(source).exists() or not shutil.which("g++"):
        print(f"yardstick skipped: {'no g++' if source else 'no --probe'} (--probe={source!r})")
        return None
    program = os.path.join(folder, "probe")
    command = ["g++", "-std=c++20", "-O3", "-mavx2", "-mfma", "-ffast-math", "-pthread"]
    subprocess.run([*command, source, "-o", program], check=True)
    return program


def measure(rounds: int, grid: str, probe: str | None) -> dict:
    """Runs all contestants in turn; returns medians in milliseconds with their quartiles.

    Args:
      rounds: turns.
      grid: key of `GRID`.
      probe: program, or None.
    """
    contestants = {}
    for case in GRID[grid]:
        contestants["native", case] = splat_calls(case, "native")
    for case in XLA_CASES:
        if case in GRID[grid]:
            contestants["xla", case] = splat_calls(case, "xla")
    for implementation in ("native", "xla"):
        contestants[implementation, "encoder"] = encoder_calls(implementation)
    samples = {}
    for turn in range(rounds):
        for (implementation, case), calls in contestants.items():
            slow = implementation == "xla" and case != "encoder"
            if slow and turn >= XLA_ROUNDS:
                continue
            for name, call in calls.items():
                if name != "pairs":
                    times = samples.setdefault((implementation, case, name), [])
                    times.append(np.median([seconds(call) for _ in range(1 if slow else 5)]))
        if probe:
            done = subprocess.run(
                [probe, str(BASE[0]), str(BASE[1])], capture_output=True, text=True, check=True
            )
            figures = json.loads(done.stdout)
            times = samples.setdefault(("yardstick", BASE, "forward"), [])
            times.append((figures["bin_ms"] + figures["forward_ms"]) / 1e3)
            samples.setdefault(("yardstick", BASE, "backward"), []).append(
                figures["backward_ms"] / 1e3
            )
        print(f"round {turn + 1} of {rounds}", flush=True)
    rate = multiply_adds_per_second()
    rows = []
    for (implementation, case, name), times in samples.items():
        row = {"implementation": implementation, "pass": name, "rounds": len(times)}
        if case != "encoder":
            row |= dict(zip(("gaussians", "sigma", "images", "channels"), case, strict=True))
        if implementation == "yardstick":
            row["pairs"] = figures["pairs"]
        elif case != "encoder":
            row["pairs"] = contestants[implementation, case]["pairs"]
            operations = {"forward": 14 + case[3], "backward": 14 + 2 * case[3]}[name]
            row["limit_ms"] = 1e3 * case[2] * count_fragments(case) * operations / rate
        low, median, high = 1e3 * np.percentile(times, (25, 50, 75))
        rows.append(row | {"ms": median, "ms_quartiles": [low, high]})
    return {"multiply_adds_per_second": rate, "rows": rows}


def measure_gpu(grid: str, out: pathlib.Path) -> dict:
    """Returns figures beside gsplat; writes what there is after each case.

    Args:
      grid: key of `GPU_GRID`.
      out: the report's path, without suffix.
    """
    rival = importlib.util.find_spec("gsplat") is not None and native.platform() == "cuda"
    tiny = grid == "gpu_tiny"
    report = {
        "command": f"python experiments/time_kernels.py --grid={grid}",
        "commit": commit(),
        "device": jax.devices()[0].device_kind,
        "kernels": native.isa(),
        "gsplat": rival,
        "jax": jax.__version__,
        "rates": gpu_figures.rates(seconds, tiny=tiny),
        "encoder": {},
        "rows": [],
    }
    for implementation in ("native", "xla"):
        for name, call in encoder_calls(implementation).items():
            times = [seconds(call) for _ in range(3 if tiny else 50)]
            report["encoder"].setdefault(name, {})[implementation] = float(np.median(times))
    for case in GPU_GRID[grid]:
        (means, *rest), camera = make_scene(*case)
        arrays = [means, *(jnp.tile(x, (len(means), *[1] * x.ndim)) for x in rest)]
        row = side_by_side.compare(
            side_by_side.Case(*case),
            [np.asarray(x) for x in arrays],
            camera,
            variants=VARIANTS if tiny or case in VARIED else {"ours": VARIANTS["ours"]},
            rival=rival,
            blocks=2 if tiny else 5,
            repeats=2 if tiny else 40,
        )
        row["ratios, gsplat / ours"] = side_by_side.ratios(row)
        fragments = case[2] * count_fragments(case)
        row["limits"] = gpu_figures.limits(row["case"], fragments, report["rates"])
        report["rows"].append(row)
        report["figures"] = gpu_figures.figures(report["rows"])
        write(out.with_name(f"{out.name}.json"), json.dumps(report, indent=1) + "\n")
        print(f"{case}: {row['ratios, gsplat / ours'] or row['times']['ours']}", flush=True)
    return report


def commit() -> str:
    """Returns what git calls this version, "unknown" where there is no git or no repository."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def write(path: pathlib.Path, text: str) -> None:
    """Writes a file whole or not at all.

    Args:
      path: of it.
      text: its content.
    """
    scratch = path.with_name(path.name + ".partial")
    scratch.write_text(text)
    os.replace(scratch, path)


def find(rows: list[dict], implementation: str, name: str, case: tuple | None) -> float | None:
    """Returns a median in milliseconds, None where it was not measured.

    Args:
      rows: of `measure`.
      implementation: contestant.
      name: pass.
      case: of `GRID`, or None for the encoder.
    """
    keys = ("gaussians", "sigma", "images", "channels")
    for row in rows:
        same = case is None or tuple(row.get(key) for key in keys) == case
        if row["implementation"] == implementation and row["pass"] == name and same:
            return row["ms"]
    return None


def ratios(rows: list[dict]) -> dict[str, float | None]:
    """Returns the figures that the targets are about.

    Args:
      rows: of `measure`.
    """

    def ratio(a, b):
        return None if a is None or b is None else a / b

    ten, eight = (*BASE[:3], 10), (*BASE[:2], 8, 3)
    result = {}
    for name in ("forward", "backward"):
        ours = find(rows, "native", name, BASE)
        result[f"{name} / yardstick"] = ratio(ours, find(rows, "yardstick", name, BASE))
        result[f"{name}, XLA / kernel"] = ratio(find(rows, "xla", name, BASE), ours)
        result[f"{name}, 10 channels / 3"] = ratio(find(rows, "native", name, ten), ours)
        batch = find(rows, "native", name, eight)
        result[f"{name}, 8 images / 8 x 1"] = ratio(batch, ours and 8 * ours)
    for name in ("encode", "encode and all gradients"):
        result[f"{name}, XLA / kernel"] = ratio(
            find(rows, "xla", name, None), find(rows, "native", name, None)
        )
    return result


def markdown(report: dict) -> str:
    """Returns the tables.

    Args:
      report: what the JSON file holds.
    """
    machine = f"{report['cpu']}, {report['cores']} cores, {report['isa']}, jax {report['jax']}"
    lines = [f"`{report['command']}`", "", f"{machine}, commit {report['commit']}.", ""]
    lines += ["| figure | ratio |", "| --- | --- |"]
    for name, value in report["ratios"].items():
        lines.append(f"| {name} | {'not measured' if value is None else f'{value:.2f}'} |")
    lines += ["", "| who | pass | Gaussians | sigma | images | channels | pairs | ms | limit ms |"]
    lines.append("|" + " --- |" * 9)
    for row in report["rows"]:
        cells = [row.get(key, "") for key in ("gaussians", "sigma", "images", "channels", "pairs")]
        limit = f"{row['limit_ms']:.2f}" if "limit_ms" in row else ""
        cells = [row["implementation"], row["pass"], *cells, f"{row['ms']:.2f}", limit]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def plot(report: dict, path: pathlib.Path) -> None:
    """Draws time by number of pairs, per image, with the limit.

    Args:
      report: what the JSON file holds.
      path: of the PNG file.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True)
    for axis, name in zip(axes, ("forward", "backward"), strict=True):
        for implementation, marker in (("native", "o"), ("xla", "s"), ("yardstick", "x")):
            rows = [
                row
                for row in report["rows"]
                if row["implementation"] == implementation and row["pass"] == name
            ]
            if rows:
                pairs = [row["pairs"] for row in rows]
                axis.scatter(
                    pairs, [row["ms"] / row["images"] for row in rows], marker=marker,
                    label=implementation,
                )  # fmt: skip
        rows = [r for r in report["rows"] if "limit_ms" in r and r["pass"] == name]
        axis.scatter(
            [row["pairs"] for row in rows],
            [row["limit_ms"] / row["images"] for row in rows],
            marker="_",
            color="grey",
            label="limit",
        )
        axis.set(xscale="log", yscale="log", xlabel="pairs of an image", title=name)
    axes[0].set_ylabel("milliseconds per image")
    axes[0].legend()
    figure.savefig(path, dpi=100, bbox_inches="tight")


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    try:
        native.require()
    except native.NativeError as error:
        sys.exit(f"there is nothing to time: {error}")
    out = pathlib.Path(_OUT.value)
    out.parent.mkdir(parents=True, exist_ok=True)
    if _GRID.value in GPU_GRID:
        report = measure_gpu(_GRID.value, out)
        text = gpu_figures.markdown(report)
        write(out.with_name(f"{out.name}.md"), text)
        draw(gpu_figures.plot, report, out)
        sys.stdout.write(text)
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(_ROUNDS.value, _GRID.value, build_probe(_PROBE.value, folder))
    shown = [f"--{f}={flags.FLAGS[f].value}" for f in ("out", "grid", "rounds")]
    probe = " --probe=splat_probe.cpp" if _PROBE.value else ""
    report = {
        "command": f"python experiments/time_kernels.py {' '.join(shown)}{probe}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "isa": native.isa(),
        "jax": jax.__version__,
        "python": platform.python_version(),
        "commit": commit(),
        "ratios": ratios(figures["rows"]),
        **figures,
    }
    text = markdown(report)
    write(out.with_name(f"{out.name}.json"), json.dumps(report, indent=1) + "\n")
    write(out.with_name(f"{out.name}.md"), text)
    draw(plot, report, out)
    sys.stdout.write(text)


def draw(plotted: Callable, report: dict, out: pathlib.Path) -> None:
    """Writes OUT.png where matplotlib is installed.

    Args:
      plotted: draws a report into a file.
      report: what it shows.
      out: the file, without suffix.
    """
    try:
        plotted(report, out.with_name(f"{out.name}.png"))
    except ImportError:
        print("no plot: matplotlib is not installed (pip install 'emojax[plots]')")


def _cpu() -> str:
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
        return next(
            x.split(":")[1].strip() for x in text.splitlines() if x.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


if __name__ == "__main__":
    app.run(main)
