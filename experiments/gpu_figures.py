"""What the side by side on a GPU amounts to: figures with their bounds, limits, table and plot.

Works on the rows of side_by_side.compare; times are seconds, memory is bytes. A figure is a ratio
to gsplat's better setting in the same run, or of our own times to each other; where gsplat was not
there, or a case was not reached, it is None and nothing is claimed.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

SIDE = 512  # pixels, of all cases
# Operations of a fragment besides those of its channels: exponent, thresholds, blending.
FRAGMENT_OPERATIONS = 14
# The case of the figures: Gaussians, footprint in pixels. Images and channels are added.
BASE = (30_000, 3.0)
PASSES = ("forward", "both")


def find(rows: list[dict], images: int, channels: int) -> dict | None:
    """Returns the row of the figures' cloud, None where it was not reached.

    Args:
      rows: of `side_by_side.compare`.
      images: of the case.
      channels: of the case.
    """
    for row in rows:
        if tuple(row["case"].values()) == (*BASE, images, channels):
            return row
    return None


def figures(rows: list[dict]) -> list[dict[str, Any]]:
    """Returns what there are targets for: each its value, and what it must and should be.

    Args:
      rows: of `side_by_side.compare`, with their ratios.
    """

    def ratio(images, channels, name):
        row = find(rows, images, channels)
        return row["ratios, gsplat / ours"].get(name) if row else None

    def of_ours(who, name, kind, images, channels):
        row = find(rows, images, channels)
        passes = row["times"].get(who, {}) if row else {}
        return passes[name][kind]["seconds"] if name in passes else None

    def against(who, name, kind, images, channels):
        a = of_ours(who, name, kind, images, channels)
        b = of_ours("ours", name, kind, images, channels)
        return None if a is None or b is None else a / b

    def memory():
        row = find(rows, 1, 3)
        rivals = [row["memory"][x]["both"] for x in row["memory"] if _is_rival(x)] if row else []
        return row["memory"]["ours"]["both"] / min(rivals) if rivals else None

    def mapped():
        many = of_ours("ours", "forward", "latency", 16, 3)
        single = of_ours("ours", "forward", "latency", 1, 3)
        return None if many is None or single is None else many / (16 * single)

    first = find(rows, 1, 3)
    rival = "gsplat / ours"
    entries = [
        (f"forward, latency, 1 image: {rival}", ratio(1, 3, "forward, latency"), 2.5, 4.0, 1),
        (f"forward, device, 16 images: {rival}", ratio(16, 3, "forward, device"), 1.5, 2.5, 1),
        (f"backward, device, 16 images: {rival}", ratio(16, 3, "backward, device"), 2.0, 3.0, 1),
        (f"both, device, 16 images, 10 channels: {rival}", ratio(16, 10, "both, device"),
         2.0, 3.5, 1),
        ("both, memory, 1 image: ours / gsplat", memory(), 1.0, 0.5, -1),
        ("first call, seconds", first and first["first call, seconds"]["ours"], 3.0, 1.0, -1),
        ("forward, latency: 16 images by vmap / 16 x 1 image", mapped(), 0.5, 0.35, -1),
        ("forward, latency, 1 image: as one graph / as launched",
         against("ours, one graph", "forward", "latency", 1, 3), None, None, 0),
    ]  # fmt: skip
    for channels in (3, 10):
        for who in ("back by splat", "deterministic"):
            entries.append((
                f"both, device, 16 images, {channels} channels: {who} / usual",
                against(f"ours, {who}", "both", "device", 16, channels), None, None, 0,
            ))  # fmt: skip
    return [
        {
            "figure": name,
            "value": value,
            "must be": _bound(must, sign),
            "should be": _bound(aim, sign),
            "holds": None if value is None or not sign else sign * value >= sign * must,
        }
        for name, value, must, aim, sign in entries
    ]


def _bound(number: float | None, sign: int) -> str | None:
    """A bound in words; sign 1 is from below, -1 from above, 0 none."""
    return f"at {'least' if sign > 0 else 'most'} {number:g}" if sign else None


def _is_rival(name: str) -> bool:
    return name.startswith("gsplat")


def limits(case: dict[str, Any], fragments: float, rates: dict[str, float]) -> dict[str, dict]:
    """Returns by pass how much a case must compute and move, and the time that this takes at least.

    Args:
      case: Gaussians, sigma, images, channels, by name.
      fragments: pairs of a pixel and a Gaussian that reach alpha 1/255, of all images.
      rates: multiply_adds and bytes a second, measured in the same run.

    Returns:
      operations (multiply-adds of the visible fragments), bytes (each operand read once, each
      result written once) and seconds (of the slower of both).
    """
    channels, images = case["channels"], case["images"]
    operands = 4 * images * case["gaussians"] * (11 + channels)
    picture = 4 * images * SIDE * SIDE * (channels + 1)
    found = {}
    for name in PASSES:
        backward = name == "both"
        operations = fragments * (FRAGMENT_OPERATIONS + channels)
        operations += backward * fragments * (FRAGMENT_OPERATIONS + 2 * channels)
        # The way back reads operands and the pictures' cotangents, and writes the gradients.
        moved = (operands + picture) + backward * (2 * operands + picture)
        seconds = max(operations / rates["multiply_adds"], moved / rates["bytes"])
        found[name] = {"operations": operations, "bytes": moved, "seconds": seconds}
    return found


def rates(clock: Callable[[Callable], float], *, tiny: bool) -> dict[str, float]:
    """Returns what the device reaches: multiply_adds of float32 and bytes moved, a second.

    Args:
      clock: seconds of a call.
      tiny: whether to try it small, to see that it runs.
    """
    side, length = (256, 1 << 16) if tiny else (8192, 1 << 28)
    square, line = jnp.ones((side, side)), jnp.ones(length)
    # Not in shorter formats, which matrix units prefer.
    product = jax.jit(lambda x: jnp.matmul(x, x, precision="highest"))
    copy = jax.jit(lambda x: x + 1)

    def fastest(program, operand):
        jax.block_until_ready(program(operand))
        return min(clock(lambda: jax.block_until_ready(program(operand))) for _ in range(5))

    return {
        "multiply_adds": side**3 / fastest(product, square),
        "bytes": 2 * line.nbytes / fastest(copy, line),
    }


def markdown(report: dict) -> str:
    """Returns the tables: figures, then every case.

    Args:
      report: of `time_kernels.measure_gpu`.
    """
    lines = [f"{report['device']}, jax {report['jax']}, kernels: {report['kernels']}.", ""]
    if not report["gsplat"]:
        lines += ["gsplat was not there: our own figures alone.", ""]
    lines += ["| figure | value | must be | should be |", "| --- | --- | --- | --- |"]
    for entry in report["figures"]:
        value = "not measured" if entry["value"] is None else f"{entry['value']:.2f}"
        bounds = f"{entry['must be'] or ''} | {entry['should be'] or ''}"
        lines.append(f"| {entry['figure']} | {value} | {bounds} |")
    lines += ["", 'Times of a call in milliseconds; "both" is forward and backward. Apart, from']
    lines += ["ours: pictures by their greatest difference, gradients relative to their norm.", ""]
    head = ("Gaussians", "sigma", "images", "channels", "pairs", "who", "pass", "latency")
    head = (*head, "queued", "device", "limit", "memory, MB", "picture apart", "gradients apart")
    lines += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in report["rows"]:
        for who, passes in row["times"].items():
            apart = row["agreement"].get(who)
            for name, kinds in passes.items():
                times = [1e3 * kinds[k]["seconds"] for k in ("latency", "throughput", "device")]
                cells = [
                    *row["case"].values(), row["pairs"], who, name,
                    *(f"{x:.3f}" for x in (*times, 1e3 * row["limits"][name]["seconds"])),
                    f"{row['memory'][who][name] / 1e6:.1f}",
                    f"{apart['image, greatest']:.1e}" if apart else "",
                    f"{max(apart['gradients, relative'].values()):.1e}" if apart else "",
                ]  # fmt: skip
                lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", "| encoder, 30,000 points | who | latency, ms |", "| --- | --- | --- |"]
    for name, times in report["encoder"].items():
        lines += [f"| {name} | {who} | {1e3 * seconds:.3f} |" for who, seconds in times.items()]
    return "\n".join(lines) + "\n"


def plot(report: dict, path: pathlib.Path) -> None:
    """Draws time by number of pairs with its limit, and the roofline.

    Args:
      report: of `time_kernels.measure_gpu`.
      path: of the PNG file.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4))
    for axis, name in zip(axes, PASSES, strict=False):
        for label, marker in (("ours", "o"), ("gsplat", "x"), ("limit", "_")):
            points = [
                (row["pairs"], 1e3 * seconds / row["case"]["images"])
                for row in report["rows"]
                if (seconds := _seconds(row, label, name)) is not None
            ]
            if points:
                axis.scatter(*zip(*points, strict=True), marker=marker, label=label)
        axis.set(xscale="log", yscale="log", xlabel="pairs of an image")
        axis.set(ylabel="milliseconds of the device, an image")
        axis.set_title({"forward": "forward", "both": "forward and backward"}[name])
        axis.legend()
    roof = report["rates"]
    for label, marker in (("ours", "o"), ("gsplat", "x")):
        for name, size in zip(PASSES, (20, 60), strict=True):
            points = [
                (row["limits"][name]["operations"] / row["limits"][name]["bytes"],
                 row["limits"][name]["operations"] / seconds)
                for row in report["rows"]
                if (seconds := _seconds(row, label, name)) is not None
            ]  # fmt: skip
            if points:
                shown = f"{label}, {name}"
                axes[2].scatter(*zip(*points, strict=True), marker=marker, s=size, label=shown)
    intensities = [2.0**k for k in range(-2, 13)]
    reach = [min(roof["multiply_adds"], x * roof["bytes"]) for x in intensities]
    axes[2].plot(intensities, reach, color="grey", label="roof, measured")
    axes[2].set(xscale="log", yscale="log", title="roofline")
    axes[2].set(xlabel="multiply-adds a byte", ylabel="multiply-adds a second")
    axes[2].legend()
    figure.savefig(path, dpi=100, bbox_inches="tight")


def _seconds(row: dict, label: str, name: str) -> float | None:
    """Device time of a case: ours, the better of gsplat's, or the limit; None without any."""
    if label == "limit":
        return row["limits"][name]["seconds"]
    who = [x for x in row["times"] if (_is_rival(x) if label == "gsplat" else x == label)]
    return min((row["times"][x][name]["device"]["seconds"] for x in who), default=None)
