"""Converts official weights of a frozen network: read safely, checked, written as safetensors.

    python experiments/convert.py --network emonet_8 --checkpoint emonet_8.pth --out weights

Reads .pth, .pt, .tar, .pkl, .npz, .safetensors and TensorFlow's .pb without running code of the
file, without PyTorch and TensorFlow; strips nestings and prefixes; refuses missing and extra keys,
other shapes and types, NaN. Writes weights/emonet_8.safetensors under the official keys, with where
they came from, and prints

    emonet_8: 571 arrays of emonet_8.pth (PyTorch zip)
    licence: CC BY-NC-ND 4.0 ...
    parity on the stored probe: 3e-07 at worst (valence), gate 2e-05
    wrote weights/emonet_8.safetensors (SHA-256 ...)

The probe is this machine's check of the function that will run your weights. Its numbers, under
made-up weights, are no original's: they were recorded from this project's own functions when those
met the originals' data (tests/experts). It shows a fault of this machine, not one of the functions.
`python -m emojax.experts` lists the networks and where their official files are. A network of two
files takes --checkpoint twice.
"""

import datetime
import hashlib
import pathlib
import re
import sys

from absl import app, flags

import emojax
from emojax.data.errors import DataError
from emojax.experts import expert, probe, registry
from emojax.experts.checkpoint import reading, safetensors, state
from emojax.experts.checkpoint.refusal import CheckpointError

_NETWORK = flags.DEFINE_string("network", None, "which network the weights are of", required=True)
_CHECKPOINT = flags.DEFINE_multi_string(
    "checkpoint", None, "official file; give the flag again for a second one", required=True
)
_OUT = flags.DEFINE_string("out", None, "folder to write into; made if absent", required=True)
_IGNORE = flags.DEFINE_multi_string("ignore", [], "pattern of further keys that are not needed")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "replace an earlier conversion")

GATE = 2e-5  # of the largest magnitude: 20 times the original's own rounding in float32
_DIGITS = re.compile(r"-([0-9a-f]{8,64})(?=\.|$)")  # of a digest in a file's name


def digest(path: pathlib.Path, kind: str) -> str:
    """Returns the digest of a file in hexadecimal digits.

    Args:
      path: of the file.
      kind: of digest: "sha256" or "sha1".
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def named_digest(path: pathlib.Path) -> str | None:
    """Returns a line on the digest that a file's name begins to tell, as PyTorch's hub has them.

    Args:
      path: of the file.
    """
    found = _DIGITS.search(path.name)
    if found is None:
        return None
    for kind in ("sha256", "sha1"):
        if digest(path, kind).startswith(found[1]):
            return f"{path.name}: its {kind} begins as its name says"
    return f"{path.name}: WARNING: no digest begins with {found[1]}, as its name says it should"


def weights(name: str, paths: list[pathlib.Path], ignore: list[str]) -> tuple[state.Arranged, str]:
    """Returns the checked weights of a network, and the kinds of the files.

    Args:
      name: of the network.
      paths: of its official files.
      ignore: patterns of keys that are not needed, beside the network's own.

    Raises:
      CheckpointError: a file is damaged or hostile, or of another network.
    """
    spec = registry.get(name)
    contents = [reading.read(path) for path in paths]
    if any(found.is_graph for found in contents):
        ignore = ["*", *ignore]  # a graph has constants of its own
    trees = [found.tree for found in contents]
    try:
        arranged = state.arrange(
            trees,
            spec.layout,
            prefixes=spec.prefixes,
            renames=spec.renames,
            optional=spec.optional,
            ignored=[*spec.ignored, *ignore],
        )
    except CheckpointError as error:
        likely = registry.find(state.shapes_of(trees[0]))
        if likely in (None, name):
            raise
        raise CheckpointError(
            expected=f"weights of {name}",
            got=f"a file that looks like {likely}; {error.got}",
            fix=f"Say --network={likely}, or take another file.",
        ) from error
    return arranged, ", ".join(found.kind for found in contents)


def parity_line(name: str) -> str:
    """Returns how far the network's function is from the numbers of its stored probe, in a line.

    Args:
      name: of the network.
    """
    errors = probe.parity(name)
    if not errors:
        return "parity on the stored probe: not measured, there is none at hand"
    worst = max(errors, key=errors.get)
    text = f"parity on the stored probe: {errors[worst]:.1g} at worst ({worst}), gate {GATE:g}"
    return text if errors[worst] <= GATE else f"{text}: WARNING: beyond the gate"


def convert(name: str, paths: list[pathlib.Path], place: pathlib.Path, ignore: list[str]) -> None:
    """Converts and says what it did.

    Args:
      name: of the network.
      paths: of its official files.
      place: to write to.
      ignore: patterns of keys that are not needed, beside the network's own.

    Raises:
      CheckpointError: as `weights`.
      OSError: the place cannot be written to.
    """
    found, kinds = weights(name, paths, ignore)
    licence = registry.get(name).licence
    sources = ", ".join(path.name for path in paths)
    expert.from_state_dict(name, found.arrays)  # takes them, or refuses before anything is written
    metadata = {
        "network": name,
        "source_file": sources,
        "source_sha256": ", ".join(digest(path, "sha256") for path in paths),
        "source_format": kinds,
        "source_path": found.path,
        "source_prefix": found.prefix,
        "licence": licence,
        "converted": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "emojax_version": emojax.__version__,
    }
    place.parent.mkdir(parents=True, exist_ok=True)
    safetensors.write(place, found.arrays, metadata)
    where = f", under {found.path}" if found.path else ""
    stripped = f", without the prefix {found.prefix}" if found.prefix else ""
    print(f"{name}: {len(found.arrays)} arrays of {sources} ({kinds}{where}{stripped})")
    for line in filter(None, map(named_digest, paths)):
        print(line)
    print(f"licence: {licence}")
    print(parity_line(name), flush=True)
    print(f"wrote {place} (SHA-256 {digest(place, 'sha256')})")


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    place = pathlib.Path(_OUT.value) / f"{_NETWORK.value}.safetensors"
    try:
        registry.get(_NETWORK.value)
        if place.exists() and not _OVERWRITE.value:
            raise DataError(
                expected=f"no {place} yet",
                got="an earlier conversion",
                fix="Choose another --out or add --overwrite.",
            )
        convert(_NETWORK.value, list(map(pathlib.Path, _CHECKPOINT.value)), place, _IGNORE.value)
    except (CheckpointError, DataError) as error:
        sys.exit(f"convert: {error}")
    except OSError as error:
        sys.exit(f"convert: {place}: {error.strerror or error}")


if __name__ == "__main__":
    app.run(main)
