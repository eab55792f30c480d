"""Splatting on one machine, beside gsplat in the same process, on the same bytes.

Both draw the same clouds and pull the same cotangents back. Three times are taken, since being fast
to call and being fast on the device are different claims:

* latency: every call is waited for;
* throughput: calls are queued, the last one is waited for;
* device: what the device itself is busy for, a call. Ours: a loop inside one compiled program, each
  turn depending on the last; gsplat's: events around queued calls.

Contestants take turns, block by block; a figure is the median over blocks with its quartiles. With
each case stand the agreement of pictures and gradients, the pairs both found, and the memory both
took. gsplat is optional (`pip install gsplat`): without it, or without a GPU, the other columns are
there all the same.
"""

import concurrent.futures
import contextlib
import importlib
import os
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emojax import native, splatting

WARM_UP = 20
QUEUED = 20  # calls between two synchronisations
NUDGE = 1e-9  # of the means by the last picture's mean: the turns of a loop cannot be merged
NEAR, FAR, DILATION, ALPHA_MAX = 0.01, 1e10, 0.3, 0.999  # gsplat 1.5's
# Cotangents for all; the same numbers in both frameworks.
SEED = 1
NOTHING: Mapping = types.MappingProxyType({})


class Case(NamedTuple):
    """One row: Gaussians, footprint sigma in pixels, images, channels."""

    gaussians: int
    sigma: float
    images: int
    channels: int


class Variant(NamedTuple):
    """How our kernels are told to work.

    Attributes:
      settings: environment variables that choose among kernels, while they are traced.
      options: of XLA's compiler.
      passes: those that it is about.
    """

    settings: Mapping[str, str] = NOTHING
    options: Mapping[str, bool | int | str] = NOTHING
    passes: tuple[str, ...] = ("forward", "both")


class Contestant(NamedTuple):
    """One who draws.

    Attributes:
      name: who.
      calls: by pass, "forward" or "both" (with all gradients); each queues one call.
      wait: for all that is queued.
      device: by pass, seconds that the device is busy for a call.
      results: picture [B, H, W, C], gradients of the five arrays, pairs of the first image.
      memory: bytes taken beside the operands, by pass.
      first: seconds of the very first call.
    """

    name: str
    calls: dict[str, Callable[[], Any]]
    wait: Callable[[], None]
    device: dict[str, Callable[[], float]]
    results: tuple[np.ndarray, list[np.ndarray], int]
    memory: dict[str, int]
    first: float


def ours(arrays: Sequence[np.ndarray], camera: Any, *, name: str, variant: Variant) -> Contestant:
    """Returns our kernels on a case.

    Args:
      arrays: the five of `splatting.splat`, each with a leading dimension of images.
      camera: of all images.
      name: of this contestant.
      variant: how they are told to work.
    """
    operands = [jnp.asarray(x) for x in arrays]
    height, width, channels = camera.height, camera.width, arrays[4].shape[-1]
    rng = np.random.default_rng(SEED)
    cotangent = jnp.asarray(rng.normal(size=(len(arrays[0]), height, width, channels)), "f4")

    def one(*operands):
        out = splatting.splat(
            *operands, camera, near=NEAR, far=FAR, dilation=DILATION, alpha_max=ALPHA_MAX,
            implementation="native",
        )  # fmt: skip
        return out.image, out.num_pairs

    batched = jax.vmap(one)

    def draw(*operands):
        return batched(*operands)[0]

    def both(cotangent, *operands):
        images, pull, pairs = jax.vjp(batched, *operands, has_aux=True)
        return images, pull(cotangent), pairs

    def loop(step):
        def many(*operands):
            def turn(_, means):
                return means + NUDGE * step(means, *operands[1:])

            return jax.lax.fori_loop(0, QUEUED, turn, operands[0])

        return many

    inputs = {"forward": tuple(operands), "both": (cotangent, *operands)}
    loops = {
        "forward": loop(lambda *a: jnp.mean(draw(*a))),
        "both": loop(lambda *a: both(cotangent, *a)[1][0]),
    }
    begin = time.perf_counter()
    with environment(variant.settings):
        traced = {"first": jax.jit(draw).lower(*operands)}
        compiled = {"first": traced["first"].compile(compiler_options=dict(variant.options))}
        jax.block_until_ready(compiled["first"](*operands))
        first = time.perf_counter() - begin
        traced = {"both": jax.jit(both).lower(*inputs["both"])}
        for task in variant.passes:
            traced[task, "loop"] = jax.jit(loops[task]).lower(*operands)
    with concurrent.futures.ThreadPoolExecutor() as pool:  # XLA compiles without Python's lock
        started = {
            task: pool.submit(program.compile, compiler_options=dict(variant.options))
            for task, program in traced.items()
        }
        compiled |= {task: future.result() for task, future in started.items()}
    programs = {"forward": compiled["first"], "both": compiled["both"]}
    queued = {}

    def call(task):
        queued[task] = programs[task](*inputs[task])

    def busy(task):
        begin = time.perf_counter()
        jax.block_until_ready(compiled[task, "loop"](*operands))
        return (time.perf_counter() - begin) / QUEUED

    memory = {}
    for task in variant.passes:
        sizes = programs[task].memory_analysis()
        memory[task] = int(sizes.temp_size_in_bytes + sizes.output_size_in_bytes) if sizes else 0
    images, gradients, pairs = jax.tree.map(np.asarray, programs["both"](*inputs["both"]))
    return Contestant(
        name=name,
        calls={task: lambda task=task: call(task) for task in variant.passes},
        wait=lambda: jax.block_until_ready(queued),
        device={task: lambda task=task: busy(task) for task in variant.passes},
        results=(images, list(gradients), int(pairs[0])),
        memory=memory,
        first=first,
    )


@contextlib.contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables inside a `with` block.

    Args:
      settings: names and values.
    """
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def gsplat(arrays: Sequence[np.ndarray], camera: Any, *, packed: bool) -> Contestant:
    """Returns gsplat on a case.

    Args:
      arrays: the five of `splatting.splat`, each with a leading dimension of images.
      camera: of all images.
      packed: gsplat's own option; the better of both is what to compare with.
    """
    torch, library = importlib.import_module("torch"), importlib.import_module("gsplat")
    images = len(arrays[0])
    operands = [torch.tensor(np.asarray(x), device="cuda", requires_grad=True) for x in arrays]
    pose = torch.tensor(np.asarray(camera.world_to_camera), device="cuda")
    (fx, fy), (cx, cy) = np.asarray(camera.focal), np.asarray(camera.principal)
    intrinsics = torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], device="cuda")
    poses, cameras = pose.expand(images, 1, 4, 4), intrinsics.expand(images, 1, 3, 3)
    rng = np.random.default_rng(SEED)
    shape = (images, camera.height, camera.width, arrays[4].shape[-1])
    cotangent = torch.tensor(rng.normal(size=shape), dtype=torch.float32, device="cuda")

    def draw():
        image, _, meta = library.rasterization(
            *operands, poses.contiguous(), cameras.contiguous(), camera.width, camera.height,
            near_plane=NEAR, far_plane=FAR, eps2d=DILATION, radius_clip=0.0, sh_degree=None,
            packed=packed, tile_size=16, render_mode="RGB", absgrad=False,
            rasterize_mode="classic",
        )  # fmt: skip
        return image[:, 0], meta

    def forward():
        with torch.no_grad():
            return draw()

    def both():
        return torch.autograd.grad(draw()[0], operands, grad_outputs=cotangent)

    calls = {"forward": forward, "both": both}

    def busy(name):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(QUEUED):
            calls[name]()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / 1e3 / QUEUED

    begin = time.perf_counter()
    forward()
    torch.cuda.synchronize()
    first = time.perf_counter() - begin
    memory = {}
    for name, call in calls.items():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        kept = call()
        torch.cuda.synchronize()
        memory[name] = torch.cuda.max_memory_allocated() - before
        del kept
    image, meta = forward()
    pairs = meta["tiles_per_gauss"]
    pairs = pairs.sum() if packed else pairs.reshape(images, -1)[0].sum()
    gradients = [x.cpu().numpy() for x in both()]
    return Contestant(
        name=f"gsplat {library.__version__}, {'packed' if packed else 'dense'}",
        calls=calls,
        wait=torch.cuda.synchronize,
        device={name: lambda name=name: busy(name) for name in calls},
        results=(image.cpu().numpy(), gradients, int(pairs)),
        memory=memory,
        first=first,
    )


def agreement(a: Contestant, b: Contestant) -> dict[str, Any]:
    """Returns how far two contestants' results lie apart.

    Args:
      a: one, whose numbers are the unit.
      b: the other.
    """
    difference = np.abs(a.results[0] - b.results[0])
    names = ("means", "quaternions", "scales", "opacities", "features")
    return {
        "image, greatest": float(difference.max()),
        "image, pixels above 1e-4": float(np.mean(difference.max(axis=-1) > 1e-4)),
        "gradients, relative": {
            name: float(np.linalg.norm(x - y) / (np.linalg.norm(x) + 1e-30))
            for name, x, y in zip(names, a.results[1], b.results[1], strict=True)
        },
        "pairs": [a.results[2], b.results[2]],
    }


def clock(contestants: Sequence[Contestant], *, blocks: int, repeats: int) -> dict[str, dict]:
    """Returns seconds by contestant, pass and kind of time: median and quartiles over blocks.

    Args:
      contestants: who take turns.
      blocks: turns of each.
      repeats: calls of a block.
    """
    samples: dict[tuple[str, str, str], list[float]] = {}
    for contestant in contestants:
        for name in contestant.calls:
            for _ in range(min(WARM_UP, repeats)):
                contestant.calls[name]()
            contestant.wait()
    for _ in range(blocks):
        for contestant in contestants:
            for name, call in contestant.calls.items():
                begin = time.perf_counter()
                for _ in range(repeats):
                    call()
                    contestant.wait()
                latency = (time.perf_counter() - begin) / repeats
                begin = time.perf_counter()
                for _ in range(repeats):
                    call()
                contestant.wait()
                queued = (time.perf_counter() - begin) / repeats
                device = contestant.device[name]()
                for kind, seconds in (
                    ("latency", latency), ("throughput", queued), ("device", device),
                ):  # fmt: skip
                    samples.setdefault((contestant.name, name, kind), []).append(seconds)
    result: dict[str, dict] = {}
    for (who, name, kind), seconds in samples.items():
        low, median, high = np.percentile(seconds, (25, 50, 75))
        entry = result.setdefault(who, {}).setdefault(name, {})
        entry[kind] = {"seconds": float(median), "quartiles": [float(low), float(high)]}
    return result


def compare(
    case: Case,
    arrays: Sequence[np.ndarray],
    camera: Any,
    *,
    variants: Mapping[str, Variant],
    rival: bool,
    blocks: int = 5,
    repeats: int = 40,
) -> dict[str, Any]:
    """Returns one case's figures, ready for JSON.

    Args:
      case: what it is called.
      arrays: the five of `splatting.splat`, each with a leading dimension of images.
      camera: of all images.
      variants: of our kernels by name, each a contestant; "ours" is what `ratios` takes.
      rival: also gsplat, dense and packed.
      blocks: turns of each contestant.
      repeats: calls of a block.
    """
    contestants = [
        ours(arrays, camera, name=name, variant=variant) for name, variant in variants.items()
    ]
    row: dict[str, Any] = {"case": case._asdict(), "kernels": native.isa(), "errors": []}
    for packed in (False, True) if rival else ():
        try:
            contestants.append(gsplat(arrays, camera, packed=packed))
        except Exception as error:  # whatever it is, our own figures are still wanted
            row["errors"].append(f"gsplat, packed={packed}: {type(error).__name__}: {error}")
    row["times"] = clock(contestants, blocks=blocks, repeats=repeats)
    row["memory"] = {c.name: c.memory for c in contestants}
    row["first call, seconds"] = {c.name: c.first for c in contestants}
    row["pairs"] = contestants[0].results[2]
    row["agreement"] = {c.name: agreement(contestants[0], c) for c in contestants[1:]}
    return row


def ratios(row: dict[str, Any]) -> dict[str, float]:
    """Returns gsplat's best time over ours, by pass and kind; "backward" is both less forward.

    Args:
      row: of `compare`.
    """
    times = dict(row["times"])
    mine = times.pop("ours", None)
    rivals = [times[name] for name in times if name.startswith("gsplat")]
    if mine is None or not rivals:
        return {}

    def seconds(entry, name, kind):
        if name == "backward":
            return seconds(entry, "both", kind) - seconds(entry, "forward", kind)
        return entry[name][kind]["seconds"]

    return {
        f"{name}, {kind}": min(seconds(x, name, kind) for x in rivals) / seconds(mine, name, kind)
        for name in ("forward", "backward", "both")
        for kind in ("latency", "throughput", "device")
    }
