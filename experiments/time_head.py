"""Times the head: a whole frame, a film, and a training step, with what each part of them costs.

    python experiments/time_head.py --out benchmarks/head_cpu

About three minutes on two cores. Writes OUT.json (all numbers, machine, this command) and OUT.md.
The head is made up: Gaussians on an ellipsoid as large as a face, networks as they start, every
part as in use; only the values differ from a trained one. Medians over rounds in which all
contestants take turns. "Limit" is the frame rate of video, 25 a second, or 10 training steps a
second.
"""

import json
import os
import pathlib
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import soundfile
from absl import app, flags
from configs import talking_gaussian

from emojax import gaussians, geometry, native
from emojax import head as heads
from emojax.data.audio import RATE
from emojax.data.files import FPS
from emojax.data.labels import Label
from emojax.drive import movie, sound
from emojax.head import Head, HeadConfig
from emojax.losses import photometric
from emojax.training import changes, optimizer
from emojax.training import state as states
from emojax.training import step as steps
from emojax.training.objectives import Frame
from emojax.types import Camera, Condition, Gaussians

_OUT = flags.DEFINE_string("out", None, "files to write, without suffix", required=True)
_SMALL = flags.DEFINE_bool("small", False, "a small head and pictures, to see that it runs")
_ROUNDS = flags.DEFINE_integer("rounds", 9, "turns of each contestant", lower_bound=1)


class Sizes(NamedTuple):
    """What is timed: sides of pictures, numbers of Gaussians."""

    frame: int
    face: int
    mouth: int
    train: int
    train_face: int


FULL, SMALL = Sizes(512, 11_000, 1_000, 256, 8_000), Sizes(64, 110, 10, 32, 80)
BATCH = 8
STEPS = 20  # of a dispatch
FILM_SECONDS = 4
RADII = (0.075, 0.11, 0.09)  # metres, of a face
LIMITS = {"frame": FPS, "film": FPS, "step": 10.0}


def cloud(key: jax.Array, num: int, *, size: float) -> Gaussians:
    """Returns Gaussians on the front of an ellipsoid that touch each other.

    Args:
      key: consumed.
      num: Gaussians.
      size: of the ellipsoid, in faces.
    """
    key_points, key_colors = jax.random.split(key)
    directions = jax.random.normal(key_points, (num, 3))
    directions = directions.at[:, 2].set(jnp.abs(directions[:, 2]))
    directions /= jnp.linalg.norm(directions, axis=1, keepdims=True)
    points = size * jnp.array(RADII) * directions
    colors = jax.random.uniform(key_colors, (num, 3))
    return gaussians.from_points(points, colors, capacity=num, degree=2, opacity=0.8)


def make_head(face: int, mouth: int) -> Head:
    """Returns a head with so many living Gaussians.

    Args:
      face: in the face.
      mouth: inside the mouth.
    """
    keys = jax.random.split(jax.random.key(0), 3)
    made = heads.init(
        keys[0], HeadConfig(face_points=4, mouth_points=4, face_capacity=4, mouth_capacity=4)
    )
    return made.replace(face=cloud(keys[1], face, size=1.0), mouth=cloud(keys[2], mouth, size=0.3))


def make_camera(size: int) -> Camera:
    """Returns a camera in front of the head.

    Args:
      size: of the picture, pixels.
    """
    pose = geometry.look_at(jnp.array([0, 0, 0.8]), jnp.zeros(3), jnp.array([0.0, 1, 0]))
    return Camera(pose, jnp.full(2, 2.34 * size), jnp.full(2, size / 2), width=size, height=size)


def conditions(num: int, config: HeadConfig) -> Condition:
    """Returns random conditions, with a leading axis.

    Args:
      num: how many.
      config: of the head.
    """
    rng = np.random.default_rng(0)
    return Condition(
        audio=jnp.asarray(rng.normal(size=(num, 8, *config.window)), jnp.float32),
        action_units=jnp.asarray(rng.uniform(0, 3, (num, 6)), jnp.float32),
    )


def ready(call: Callable, *arguments) -> Callable[[], object]:
    """Returns the call compiled, with its arguments, waiting for its result.

    Args:
      call: to compile.
      *arguments: of it.
    """
    compiled = jax.jit(call)
    jax.block_until_ready(compiled(*arguments))
    return lambda: jax.block_until_ready(compiled(*arguments))


def frame_calls(sizes: Sizes) -> dict[str, tuple[Callable, int]]:
    """Returns what to time of a frame, and how many frames a call makes.

    Args:
      sizes: what is timed.
    """
    head, camera = make_head(sizes.face, sizes.mouth), make_camera(sizes.frame)
    some = conditions(BATCH, head.config)
    one = jax.tree.map(lambda x: x[0], some)
    rng = np.random.default_rng(0)
    backdrops = jnp.asarray(rng.integers(0, 255, (BATCH, sizes.frame, sizes.frame, 3)), jnp.uint8)

    def frame(head, condition, backdrop):
        image = heads.render(head, condition, camera, backdrop / jnp.float32(255)).image
        return jnp.uint8(jnp.clip(image, 0, 1) * 255 + 0.5)

    def branch(name):
        moved = jax.jit(lambda h, c: heads.move(h, name, c))(head, one)
        still = head.replace(**{name: moved})
        return ready(lambda h: heads.draw(h, name, None, camera)[0], still)

    drawn = [heads.draw(head, name, one, camera)[0] for name in heads.BRANCHES]

    def finish(face, mouth, backdrop):
        image = heads.combine(face, mouth, backdrop / jnp.float32(255))
        return jnp.uint8(jnp.clip(image, 0, 1) * 255 + 0.5)

    batched = jax.vmap(frame, (None, 0, 0))
    return {
        "frame": (ready(frame, head, one, backdrops[0]), 1),
        f"frame, {BATCH} at once": (ready(batched, head, some, backdrops), BATCH),
        "  face: motion": (ready(lambda h, c: heads.move(h, "face", c), head, one), 1),
        "  face: colour and splatting": (branch("face"), 1),
        "  mouth: motion": (ready(lambda h, c: heads.move(h, "mouth", c), head, one), 1),
        "  mouth: colour and splatting": (branch("mouth"), 1),
        "  compositing, uint8": (ready(finish, *drawn, backdrops[0]), 1),
        "film": film_call(jax.jit(batched), head, some, backdrops),
    }


def film_call(batched: Callable, head: Head, some, backdrops) -> tuple[Callable, int]:
    """Returns a call that makes a film with sound, pictures on their way while they are encoded.

    Args:
      batched: compiled, frames of several conditions.
      head: to draw.
      some: conditions.
      backdrops: of the frames.
    """
    folder = tempfile.TemporaryDirectory()
    place = pathlib.Path(folder.name)
    rng = np.random.default_rng(0)
    soundfile.write(place / "a.wav", 0.1 * rng.normal(size=FILM_SECONDS * RATE), RATE)
    heard = sound.read(place / "a.wav")

    def pictures() -> Iterator[np.ndarray]:
        left = heard.num_frames
        following = batched(head, some, backdrops)
        while left > 0:
            now, following = following, batched(head, some, backdrops)
            yield from np.asarray(now)[:left]
            left -= BATCH

    def call() -> None:
        movie.write(folder_file(folder, "a.mp4"), pictures(), heard, overwrite=True)

    call()
    return call, heard.num_frames


def folder_file(folder: tempfile.TemporaryDirectory, name: str) -> pathlib.Path:
    """Returns a file of a folder that lives as long as somebody asks for it.

    Args:
      folder: temporary.
      name: of the file.
    """
    return pathlib.Path(folder.name) / name


def step_calls(sizes: Sizes) -> tuple[dict[str, tuple[Callable, int]], steps.Program]:
    """Returns what to time of a training step, how many steps a call takes, and the program.

    Args:
      sizes: what is timed.
    """
    recipe = changes.without_perceptual(talking_gaussian.get())
    stage = changes.scale_steps(recipe.stages[1], 1.0, multiple=STEPS)
    phase = stage.phases[1]
    head, camera = make_head(sizes.train_face, sizes.mouth), make_camera(sizes.train)
    frames = make_frames(head.config, camera)
    state = states.begin(jax.random.key(0), head, stage)
    state = state.replace(step=jnp.int32(stage.phases[0].until))
    program = steps.make(stage, phase, extent=0.1)
    jax.block_until_ready(program(state, frames, camera))
    one = jax.tree.map(lambda x: x[0], frames.condition)
    image = frames.image[0] / jnp.float32(255)

    def moved(parts):
        motion = heads.motion(states.put(head, parts), "face", one)
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(motion))

    def drawn(face):
        rendering, _ = heads.draw(head.replace(face=face), "face", None, camera)
        return jnp.sum(rendering.image**2)

    def updated(parts, moments):
        return {
            name: optimizer.update(
                name, part, part, moments[name], rates=stage.rates, step=state.step, extent=0.1
            )
            for name, part in parts.items()
        }

    parts = states.get(head, sorted(phase.trains))
    trains = {name: parts[name] for name in ("face.means", "face.motion")}
    return {
        "step": (lambda: jax.block_until_ready(program(state, frames, camera)), STEPS),
        "  motion, with gradient": (ready(jax.grad(moved), trains), 1),
        "  colour and splatting, with gradient": (
            ready(jax.grad(drawn, allow_int=True), head.face),
            1,
        ),
        "  1 - SSIM, with gradient": (
            ready(jax.grad(photometric.dssim), image, jnp.flip(image, 0)),
            1,
        ),
        "  Adam": (ready(updated, parts, state.moments), 1),
    }, program


def make_frames(config: HeadConfig, camera: Camera) -> Frame:
    """Returns random frames with a face in the middle and a mouth in it.

    Args:
      config: of the head.
      camera: of the frames.
    """
    rng = np.random.default_rng(0)
    size = camera.width
    y, x = np.mgrid[:size, :size] / size - 0.5
    labels = np.where((x / 0.22) ** 2 + (y / 0.3) ** 2 < 1, Label.FACE, Label.BACKGROUND)
    labels = np.where((labels == Label.FACE) & (y < -0.15), Label.HAIR, labels)
    labels = np.where((x / 0.06) ** 2 + ((y - 0.15) / 0.02) ** 2 < 1, Label.MOUTH, labels)
    landmarks = np.full((68, 2), size / 2, np.float32)
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    landmarks[48:60] = size * np.stack(
        [0.5 + 0.08 * np.cos(angles), 0.65 + 0.04 * np.sin(angles)], 1
    )
    pictures = rng.integers(0, 255, (STEPS, size, size, 3)).astype(np.uint8)
    return Frame(
        image=jnp.asarray(pictures),
        labels=jnp.asarray(np.tile(labels.astype(np.uint8), (STEPS, 1, 1))),
        backdrop=jnp.asarray(pictures),
        landmarks=jnp.asarray(np.tile(landmarks, (STEPS, 1, 1))),
        world_to_camera=jnp.tile(camera.world_to_camera, (STEPS, 1, 1)),
        condition=conditions(STEPS, config),
    )


def measure(rounds: int, sizes: Sizes) -> dict:
    """Runs all contestants in turn; returns medians with their quartiles, milliseconds.

    Args:
      rounds: turns.
      sizes: what is timed.
    """
    trained, program = step_calls(sizes)
    contestants = frame_calls(sizes) | trained
    samples = {name: [] for name in contestants}
    for turn in range(rounds):
        for name, (call, count) in contestants.items():
            begin = time.perf_counter()
            call()
            samples[name].append((time.perf_counter() - begin) / count)
        print(f"round {turn + 1} of {rounds}", flush=True)
    rows = {}
    for name, times in samples.items():
        low, middle, high = (1e3 * float(q) for q in np.percentile(times, (25, 50, 75)))
        rows[name] = {"ms": middle, "quartiles_ms": [low, high], "per_second": 1e3 / middle}
        if name.split(",")[0] in LIMITS:
            rows[name]["times_limit"] = rows[name]["per_second"] / LIMITS[name.split(",")[0]]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {
        "sizes": sizes._asdict(),
        "rows": rows,
        "traces_of_step": program.traces,
        "peak_memory_mb": memory,
    }


def to_text(made: dict) -> str:
    """Returns the table for people.

    Args:
      made: of `measure`.
    """
    sizes = Sizes(**made["sizes"])
    lines = [
        f"Frame and film: {sizes.frame} pixels, {sizes.face} + {sizes.mouth} Gaussians alive. "
        f"Step: the face at {sizes.train} pixels, {sizes.train_face} Gaussians, {STEPS} to a "
        "dispatch.",
        "",
        "| | ms | quartiles | a second | times the limit |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in made["rows"].items():
        low, high = row["quartiles_ms"]
        limit = f"{row['times_limit']:.2f}" if "times_limit" in row else ""
        shown = name.replace("  ", "&nbsp;&nbsp;")
        figures = f"{row['ms']:.2f} | {low:.2f} to {high:.2f} | {row['per_second']:.1f}"
        lines.append(f"| {shown} | {figures} | {limit} |")
    lines += ["", f"Peak memory {made['peak_memory_mb']} MB; the step was traced once."]
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    out = pathlib.Path(_OUT.value)
    made = measure(_ROUNDS.value, SMALL if _SMALL.value else FULL)
    if made["traces_of_step"] != 1:
        raise SystemExit(f"the step was traced {made['traces_of_step']} times, expected once")
    made = {
        "command": f"python experiments/time_head.py --out OUT --rounds {_ROUNDS.value}",
        "machine": {
            "processor": platform.machine(), "cores": len(os.sched_getaffinity(0)),
            "isa": native.isa(), "jax": jax.__version__, "python": platform.python_version(),
            "device": jax.devices()[0].platform,
        },
        **made,
    }  # fmt: skip
    out.with_suffix(".json").write_text(json.dumps(made, indent=1) + "\n")
    out.with_suffix(".md").write_text(to_text(made))
    print(to_text(made), end="")


if __name__ == "__main__":
    app.run(main)
