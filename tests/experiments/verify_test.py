"""What is told of files of ours, of others, without a statement, damaged, of other versions."""

import json

import av
import numpy as np
import pytest

from emojax.data import carriers, provenance
from emojax.data.provenance import Provenance
from emojax.drive import movie, sound
from emojax.training import record
from tests.drive import scene
from tests.experiments import command
from tests.training import small

verify = command.module("verify")
FACTS = {"data": "clip", "seed": 0}
RUN = record.fingerprint(small.recipe(), FACTS)
ABOUT = Provenance(run=RUN, recipe="small", trained_to="fuse 4", mark="synthetic")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A film of ours, in a folder with what has become of it, and a run."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "run").mkdir()
    record.write(folder / "run", small.recipe(), FACTS)
    heard = sound.read(scene.write_sound(folder / "sound.wav", scene.speech(0.2)))
    pictures = [np.full((32, 32, 3), 90, np.uint8)] * heard.num_frames
    movie.write(folder / "ours.mp4", pictures, heard, about=ABOUT)
    movie.write(folder / "bare.mp4", pictures, heard)
    data = (folder / "ours.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(data[:-900])
    (folder / "headless.mp4").write_bytes(data[:200])
    (folder / "text.mp4").write_text("no film\n" * 9)
    _copied(folder, "remuxed.mp4", {})
    _copied(folder, "tagged.mp4", {"comment": "my holiday"})
    said = json.loads(provenance.to_json(ABOUT))
    _copied(folder, "later.mp4", {"comment": json.dumps(said | {"format": 2, "version": "8.1"})})
    _copied(folder, "damaged.mp4", {"comment": provenance.to_json(ABOUT)[:60]})
    other = data.replace(b'{"tool": "emojax"', b'{"tool": "others"')
    (folder / "other.mp4").write_bytes(other)
    carriers.write_png(folder / "frame.png", pictures[0], ABOUT)
    return folder


def _copied(folder, name, tags):
    """The film's streams in a new file, without encoding, under other tags."""
    with av.open(str(folder / "ours.mp4")) as before, av.open(str(folder / name), "w") as after:
        after.metadata.update(tags)
        streams = {s.index: after.add_stream_from_template(s) for s in before.streams}
        for packet in before.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                after.mux(packet)


@pytest.fixture
def ask(folder, capsys):
    """Asks about files; returns the exit code and what was printed, blanks and lines joined."""
    flags = verify._RUN._flagvalues
    flags.mark_as_parsed()

    def run(*names, run=None):
        flags.run = run
        code = verify.main(["verify", *(str(folder / name) for name in names)])
        said = capsys.readouterr()
        return code, " ".join(said.out.split()), " ".join(said.err.split())

    return run


@pytest.mark.parametrize("name", ["ours.mp4", "frame.png"])
def test_a_film_of_ours_says_what_it_is(ask, name):
    code, text, _ = ask(name)
    assert code == 0
    assert f"{name}: synthetic, made with emojax {ABOUT.version}." in text
    assert "recipe: small, trained to step fuse 4" in text
    assert f"run: {RUN}" in text
    assert "visible mark: 'synthetic' stood on every picture" in text
    assert "A statement, not a proof" in text


def test_what_is_not_known_is_said(ask):
    code, text, _ = ask("bare.mp4")
    assert code == 0
    assert "run: not named" in text
    assert "visible mark: none" in text
    assert "recipe" not in text


def test_a_run_is_recognised(ask, folder):
    code, text, _ = ask("ours.mp4", run=str(folder / "run"))
    assert code == 0
    assert f"run: {RUN}, that of {folder / 'run'}" in text
    code, text, _ = ask("bare.mp4", run=str(folder / "run"))
    assert code == 1
    assert f"not that of {folder / 'run'}, {RUN}" in text
    code, _, errors = ask("ours.mp4", run=str(folder))
    assert code == 2
    assert errors.startswith("verify: expected a run with config.json")


@pytest.mark.parametrize("name", ["remuxed.mp4", "tagged.mp4"])
def test_silence_proves_nothing(ask, name):
    code, text, _ = ask(name)
    assert code == 1
    assert f"{name}: says nothing of itself. That proves nothing" in text


def test_the_mark_of_others_is_named(ask):
    code, text, _ = ask("other.mp4")
    assert code == 1
    assert "says nothing of emojax, but names" in text
    assert "trainedAlgorithmicMedia" in text


def test_another_version_is_ours_and_not_read_further(ask):
    code, text, _ = ask("later.mp4")
    assert code == 0
    assert "synthetic, made with emojax 8.1." in text
    assert "format 2, and this version reads 1" in text
    assert RUN not in text


def test_a_cut_film_says_it_as_long_as_it_can(ask):
    code, text, _ = ask("cut.mp4")
    assert code == 0
    assert "The file is cut off" in text
    code, text, _ = ask("headless.mp4")
    assert code == 2
    assert "in the part that is missing" in text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.mp4", "No such file"),
        ("text.mp4", "text file|not a media file"),
        ("damaged.mp4", "damaged"),
        ("run", "a folder"),
    ],
)
def test_what_cannot_be_read_is_named(ask, name, message):
    code, text, errors = ask(name)
    assert code == 2
    assert not text
    assert any(word in errors for word in message.split("|"))
    assert f"{name}: cannot be read: expected" in errors


def test_the_worst_of_several_decides(ask):
    assert ask("ours.mp4", "bare.mp4")[0] == 0
    assert ask("ours.mp4", "remuxed.mp4")[0] == 1
    code, text, errors = ask("absent.mp4", "ours.mp4", "remuxed.mp4")
    assert code == 2
    assert "synthetic, made" in text
    assert "says nothing" in text
    assert "absent.mp4" in errors


def test_as_a_user_runs_it(folder):
    done = command.run("verify", folder / "ours.mp4")
    assert (done.returncode, done.stderr) == (0, "")
    assert "synthetic, made with emojax" in done.stdout
    done = command.run("verify")
    assert done.returncode == 2
    assert "name a file" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
