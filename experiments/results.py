"""What the quickstart has made, as a page to look at, and one frame of the head as Gaussians."""

import json
import pathlib

import jax
import numpy as np
import page
from page import Section

from emojax.data import clip as clips
from emojax.data import doctor, provenance
from emojax.drive import frames, poses
from emojax.gaussians import ply
from emojax.training import checkpoints, loop

PAGE, CLOUD, SWEEP, FACES = "index.html", "head.ply", "sweep", "faces"


def save_cloud(run: pathlib.Path, path: pathlib.Path) -> None:
    """Writes the head's Gaussians as they are in the clip's most usual frame.

    Args:
      run: of the head.
      path: of the .ply file.
    """
    trained = checkpoints.load_run(run)
    clip = clips.load(
        trained.clip_folder, size=trained.size, features=trained.features, force=trained.forced
    )
    row = np.array([poses.usual_row(clip.world_to_camera)])
    columns = clip.action_units.places(trained.head.config.action_units)
    shown = loop.to_frames(clips.batch(clip, row), columns).condition
    neutral = None if trained.head.config.emotion == "none" else np.zeros((1, 2), np.float32)
    condition = jax.tree.map(lambda x: x[0], shown.replace(emotion=neutral))
    cloud = frames.cloud(frames.ready(trained.head), condition)
    note = provenance.to_json(trained.provenance)
    ply.save(path, jax.device_get(cloud), comment=note, overwrite=True)


def write_page(out: pathlib.Path, films: list[pathlib.Path], *, is_puppet: bool) -> None:
    """Writes index.html.

    Args:
      out: folder of everything.
      films: of the head; those with emotions last.
      is_puppet: whether the person was filmed, not given.
    """
    moods = [made for made in films if made.stem == "moods"]
    spoken = [made for made in films if made not in moods]
    minutes = json.loads((out / "summary.json").read_text())["minutes"]
    verdict = json.loads((out / "data" / doctor.JSON).read_text())["verdict"]
    person = (
        "A puppet: a procedural person, ray-cast, with everything known exactly. It spoke for a "
        "minute; a doctor examined the clip before any training, as it does for real videos."
        if is_puppet
        else "The video was cropped, tracked and parsed, and a doctor examined the result."
    )
    seen = [("what the doctor saw", out / "data" / doctor.SHEET)]
    if (warped := out / FACES / "sheet.png").exists():
        seen.append(("frames warped to other emotions, to learn from", warped))
    sections = [
        Section(
            "Speech that was not recorded",
            "The head speaks sounds that it has not heard in training. Watch whether lips close "
            "on p, b and m, and rest in silence. Every film says of itself that it is synthetic: "
            "experiments/verify.py reads it.",
            [(made.name, made) for made in spoken],
        ),
    ]
    if moods:
        sections.append(
            Section(
                "Any emotion, while speaking",
                "The same sound through neutral, happy, surprised, angry and sad, and at the "
                "twelve points of valence (right) and arousal (up) on which papers are tested: "
                "the lips go on speaking.",
                [
                    ("through moods", moods[0]),
                    ("twelve points at once", out / SWEEP / "sweep.mp4"),
                    ("one frame on the disc of emotions", out / SWEEP / "sheet.png"),
                ],
            )
        )
    sections += [
        Section(
            "Measured on frames that did not train",
            "Truth, head and difference. In the table stand controls that must be worse: a still "
            "face, the nearest training frame, the sound shuffled, late or early.",
            [("held-out frames", out / "report.png")],
            (out / "report.txt").read_text(),
        ),
        Section("The person", f"{person} Verdict: {verdict}.", seen),
        Section(
            "The head itself",
            "Canonical 3D Gaussians, moved by two small networks: open them in any 3D Gaussian "
            "viewer.",
            [("head.ply, one frame", out / CLOUD), ("summary.json", out / "summary.json")],
            "\n".join(f"{name:<12}{value:6.1f} minutes" for name, value in minutes.items()),
        ),
    ]
    page.write(
        out / PAGE,
        "emojax: a talking head of 3D Gaussians",
        "Everything on this page was made on this machine by one command.",
        sections,
    )
