"""Films a puppet: a talking head with sound and complete truth, as a data set ready to train on.

    python experiments/film.py --out data/puppet
    python experiments/film.py --out data/puppet --seed 12 --size 512 --length 180
    python experiments/film.py --out data/hello --text "Good morning, Bob." --emotion happy
    python experiments/film.py --out data/other --wav speech.wav --emotion moods.csv --world shifted

The seed decides who is filmed: face, voice, manner, light, camera. Without text or sound the puppet
speaks sentences of the package for --length seconds. With --wav nobody knows the phonemes: lips
follow the energy of the sound, and the film says so in puppet.json.

--emotion is a class (happy), a point of the disc (valence,arousal, as in 0.7,0.3), a file of
keyframes (emojax/emotion/trajectory.py says how), "neutral", or "everyday": slow and mild, a bit
of all, without which most action units would never move.

--twins films that many frames again with emotions drawn over the disc, all else being the same: a
head learns emotions from them. Film neutral speech for that (--emotion neutral): what a head shows
by its action units should not be emotion already.

Speech needs the extra `speech`: pip install 'emojax[speech]'. The folder opens as any other, with
experiments/doctor.py, train.py and evaluate.py; what truth/ holds is in emojax/puppet/truth.py. The
exit code is 0 when all is written, 1 when something was refused, 130 when it was interrupted; in
the last two cases nothing is left behind, but for a film that was whole before its twins.
"""

import pathlib
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import jax
import siblings
import tqdm
from absl import app, flags

from emojax import caches
from emojax.data import audio
from emojax.data.errors import DataError
from emojax.puppet import emotional, film, mood, population, take

_OUT = flags.DEFINE_string("out", None, "folder of the data set to be", required=True)
_SEED = flags.DEFINE_integer("seed", 0, "who is filmed, and every other choice")
_WORLD = flags.DEFINE_string("world", "usual", f"one of {', '.join(population.WORLDS)}")
_VOICE = flags.DEFINE_string("voice", None, "of espeak-ng, en-gb+f3 say; the person's by default")
_TEXT = flags.DEFINE_string("text", None, "to speak")
_WAV = flags.DEFINE_string("wav", None, "sound to move the lips to, instead of a text")
_EMOTION = flags.DEFINE_string(
    "emotion", mood.EVERYDAY, "class, valence,arousal or file, see above"
)
_OUTSIDE = flags.DEFINE_enum(
    "outside", "clip", ["clip", "refuse"], "what to do with emotions outside the disc"
)
_LENGTH = flags.DEFINE_float("length", None, "seconds; 60, or as long as text or sound take")
_SIZE = flags.DEFINE_integer("size", 256, "side of the pictures, pixels, a multiple of 8")
_TRUTH = flags.DEFINE_bool("truth", True, "write truth/: normals, depth, regions, tracks, ...")
_VIEWS = flags.DEFINE_integer("views", 0, "how many more cameras, around the face")
_NOISE = flags.DEFINE_float("noise", 0.0, "of the sensor, grey levels")
_COMPRESSION = flags.DEFINE_integer("compression", None, "H.264 rate factor, 0 to 51; none")
_TWINS = flags.DEFINE_integer(
    "twins", 0, "frames filmed again with other emotions, to train on", lower_bound=0
)
_WORKERS = flags.DEFINE_integer("workers", 2, "threads that draw", lower_bound=1)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "replace a film that is there")

LENGTH = 60.0  # seconds, of the package's sentences
EVERY = 60.0  # seconds between lines where nobody watches a bar


def plan() -> take.Take:
    """Returns the take that the flags name."""
    if _TEXT.value is not None and _WAV.value is not None:
        raise DataError(expected="a text or a sound", got="both", fix="Leave one of them out.")
    if _WAV.value is not None and _VOICE.value is not None:
        raise DataError(
            expected="a voice for a text", got="one for a sound", fix="Leave --voice out."
        )
    actor = population.cast(_SEED.value, world=population.world(_WORLD.value))
    course = mood.course(_EMOTION.value, _SEED.value, outside=_OUTSIDE.value)
    if _WAV.value is not None:
        samples = audio.read_wav(_WAV.value).waveform
        print("film: phonemes of the sound are unknown; lips follow its energy", file=sys.stderr)
        return take.sound(actor, samples, course=course, seconds=_LENGTH.value)
    if _TEXT.value is not None:
        return take.say(
            actor, _TEXT.value, voice=_VOICE.value, course=course, seconds=_LENGTH.value
        )
    seconds = LENGTH if _LENGTH.value is None else _LENGTH.value
    return take.talk(actor, seconds, voice=_VOICE.value, course=course)


def watch(frames: Sequence[int], what: str) -> Iterable[int]:
    """A progress bar with the time left; on no terminal a line a minute."""
    if not sys.stderr.isatty():
        return lines(frames, what)
    # Containers' terminals may say that they are 0 x 0 large; tqdm would draw nothing then.
    columns, rows = shutil.get_terminal_size()
    return tqdm.tqdm(frames, what, unit=" frames", ncols=columns - 1, nrows=rows, leave=False)


def lines(
    frames: Sequence[int], what: str, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[int]:
    """The frames; says each minute, on stderr, how many are left and how long they will take."""
    said, begun = clock(), None
    for done, frame in enumerate(frames):
        now = clock()
        # The first frame was long in coming: it waited for compilation.
        begun = begun or (now if done else None)
        if begun is not None and now > begun and now - said >= EVERY:
            said, left = now, len(frames) - done
            minutes = left * (now - begun) / (done - 1) / 60
            text = f"{what}: {done:,} of {len(frames):,} frames, about {minutes:.1f} minutes left"
            print(text, file=sys.stderr, flush=True)
        yield frame


def main(argv: list[str]) -> int:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    caches.keep_programs()
    out = pathlib.Path(_OUT.value)
    form = film.Format(
        size=_SIZE.value,
        has_truth=_TRUTH.value,
        views=_VIEWS.value,
        noise=_NOISE.value,
        compression=_COMPRESSION.value,
    )
    is_filmed = False
    try:
        if _TWINS.value and not _TRUTH.value:
            raise DataError(expected="--twins with truth", got="--notruth", fix="Leave one out.")
        film.check(out, form, overwrite=_OVERWRITE.value)
        with siblings.warnings_as_notes():
            planned = plan()
        begin = time.perf_counter()
        film.shoot(
            planned,
            out,
            form=form,
            overwrite=_OVERWRITE.value,
            workers=_WORKERS.value,
            progress=lambda frames: watch(frames, "film"),
        )
        is_filmed, seconds = True, time.perf_counter() - begin
        if _TWINS.value:
            emotional.write(
                jax.random.key(_SEED.value),
                out,
                _TWINS.value,
                workers=_WORKERS.value,
                progress=lambda numbers: watch(numbers, "twins"),
            )
    except DataError as error:
        sys.exit(f"film: {error}")
    except KeyboardInterrupt:
        left = "the film is whole, its twins are not" if is_filmed else "nothing is left of it"
        print(f"film: stopped; {left}", file=sys.stderr)
        return siblings.INTERRUPTED
    count = len(planned) * (1 + form.views)
    print(
        f"film: {count} frames of {form.size} pixels in {seconds:.0f} s, "
        f"{count / seconds:.1f} a second, in {out}"
    )
    return 0


if __name__ == "__main__":
    app.run(main)
