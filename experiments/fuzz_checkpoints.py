"""Gives the reader of checkpoints mutated files: no crash, no hang, no code run, little memory.

    python experiments/fuzz_checkpoints.py --count 100000 --out benchmarks/fuzz_checkpoints.json

Takes small files of every kind (PyTorch's from tests/, the others made here), mutates them (bits,
bytes, numbers, cuts, splices, opcodes that name and call, entries of archives with right checksums)
and reads each to the last array. Every file must be read or refused by the one error, in time. An
audit hook sees whatever Python itself could do for a pickle (imports, files, processes, compiled
code); any of it counts as code that ran. Works in processes of its own, so that a crash is counted
and named by its seed. Prints one line of JSON; the exit code is 0 when nothing was found.
"""

import contextlib
import functools
import io
import json
import multiprocessing
import os
import pathlib
import pickle
import pickletools
import random
import resource
import signal
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
from absl import app, flags

from emojax.experts.checkpoint import reading, state
from emojax.experts.checkpoint.refusal import CheckpointError

_COUNT = flags.DEFINE_integer("count", 100_000, "how many files", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "of the first file; each has its own", lower_bound=0)
_FILES = flags.DEFINE_string("files", None, "folder of files to mutate; by default the tests' own")
_CONTROL = flags.DEFINE_bool(
    "control", False, "read pickles with Python's own reader: the hook must find code that runs"
)
_OUT = flags.DEFINE_string("out", None, "JSON file to write the report into, too")
_KEEP = flags.DEFINE_string("keep", None, "folder to write files into that did harm")

Reader = Callable[[str, bytes], str]  # name, bytes -> "read" or "refused"

PATIENCE = 5.0  # seconds of computing for one file; the usual one takes a millisecond
MEMORY = 512 << 20  # bytes that the reading process may grow by
CHUNK = 10_000  # files of one process
MAX_ELEMENTS = 1 << 20  # arrays that are larger (by steps of 0) are not summed

_TESTS = pathlib.Path(__file__).resolve().parent.parent / "tests/experts/checkpoint/data"
_HARMFUL = (
    "open",
    "os.",
    "subprocess.",
    "socket.",
    "ctypes.",
    "shutil.",
    "exec",
    "compile",
    "import",
)
_NUMBERS = [
    0,
    1,
    127,
    128,
    255,
    256,
    0x7FFF,
    0xFFFF,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**64 - 1,
]
_PICKLE_STARTS = (b"\x80", b"(", b"}", b"c")
# What an attacker would splice in: names, calls, states, ids, codes.
_SNIPPETS = [
    b"cos\nmkdir\n(S'fuzzed'\ntR",
    b"cbuiltins\neval\n(S'1'\ntR",
    b"cposix\nsystem\n(S'true'\ntR",
    b"\x8c\x02os\x8c\x05mkdir\x93\x8c\x06fuzzed\x85R",
    b"(S'fuzzed'\nios\nmkdir\n",
    b"(cos\nmkdir\nS'fuzzed'\no",
    b"\x81",
    b"\x92",
    b"R",
    b"b",
    b"Q",
    b"\x82\x01",
    b"\x97",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ccollections\nOrderedDict\n)R",
    b"h\x00",
    b"q\x01",
    b"(",
    b".",
    b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"r\xff\xff\xff\xff",
]


def originals(folder: pathlib.Path) -> dict[str, bytes]:
    """Returns whole files to mutate, by name.

    Args:
      folder: of further files of weights.
    """
    arrays = {
        "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a.half": np.arange(4, dtype=np.float16),
        "a.count": np.int64(3),
    }
    stored, packed = io.BytesIO(), io.BytesIO()
    np.savez(stored, **arrays)
    np.savez_compressed(packed, **arrays)
    found = {"stored.npz": stored.getvalue(), "packed.npz": packed.getvalue()}
    found |= {f"{n}.pkl": pickle.dumps(arrays, n) for n in range(6)}
    header = {
        "__metadata__": {"a": "b"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [24, 28]},
    }
    text = json.dumps(header).encode()
    found["x.safetensors"] = struct.pack("<Q", len(text)) + text + bytes(28)
    tensor = b"\x08\x01\x12\x04\x12\x02\x08\x02\x22\x08" + bytes(8)
    value = (
        b"\x0a\x05value\x12" + bytes([len(tensor) + 2]) + b"\x42" + bytes([len(tensor)]) + tensor
    )
    node = b"\x0a\x02h1\x12\x05Const\x2a" + bytes([len(value)]) + value
    found["x.pb"] = b"\x0a" + bytes([len(node)]) + node
    for path in sorted(folder.iterdir()):
        found[path.name] = path.read_bytes()
    return found


def mutated(files: dict[str, bytes], seed: int) -> tuple[str, bytes]:
    """Returns the name and the bytes of the file of a seed.

    Args:
      files: whole ones.
      seed: of everything random.
    """
    chance = random.Random(seed)
    name = chance.choice(sorted(files))
    data = files[name]
    if data[:2] == b"PK" and chance.random() < 0.7:
        return name, _mutated_archive(data, chance)
    return name, _mutated_bytes(data, chance, files)


def _mutated_archive(data: bytes, chance: random.Random) -> bytes:
    """An archive with one entry mutated, its checksum right."""
    out = io.BytesIO()
    method = chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", method) as new:
        names = old.namelist()
        pickles = [name for name in names if name.endswith(".pkl")]
        victim = chance.choice(pickles if pickles and chance.random() < 0.8 else names)
        for name in names:
            content = old.read(name)
            if name == victim:
                if chance.random() < 0.05:
                    continue
                content = _mutated_bytes(content, chance, {})
            new.writestr(name, content)
    return out.getvalue()


@functools.lru_cache
def _opcodes(data: bytes) -> list[int]:
    """Where the opcodes of a pickle stand; nowhere in other files."""
    places: list[int] = []
    if data[:1] not in _PICKLE_STARTS:
        return places
    with contextlib.suppress(Exception):  # pickletools raises many on what is no pickle
        places.extend(position for _, _, position in pickletools.genops(data))
    return places


def _mutated_bytes(data: bytes, chance: random.Random, files: dict[str, bytes]) -> bytes:
    """Bytes after one to four mutations; those of a pickle mostly between two of its opcodes."""
    between = _opcodes(data)
    data = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        at = chance.randrange(len(data) + 1)
        if between and chance.random() < 0.7:
            at = min(chance.choice(between), len(data))
        kind = chance.randrange(9)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = chance.randrange(256)
        elif kind == 2:
            width = chance.choice("BHIQ")
            size = struct.calcsize(f"<{width}")
            number = chance.choice(_NUMBERS) & ((1 << 8 * size) - 1)
            data[at : at + size] = number.to_bytes(size, chance.choice(["little", "big"]))
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            del data[at : at + chance.randrange(1, 32)]
        elif kind == 5:
            piece = data[at : at + chance.randrange(1, 64)]
            data[at:at] = piece * chance.choice([1, 2, 50])
        elif kind == 6:
            data[at:at] = chance.choice(_SNIPPETS)
        elif kind == 7:
            data[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif files:
            other = files[chance.choice(sorted(files))]
            start = chance.randrange(len(other))
            data[at : at + 64] = other[start : start + chance.randrange(1, 256)]
    return bytes(data)


def read_by_python(name: str, data: bytes) -> str:
    """Returns "read" or "refused" as Python's own reader of pickles has it: the control.

    What it would run is stopped by the audit hook.

    Args:
      name: of the file; others than plain pickles are left out.
      data: its bytes.
    """
    if not name.endswith(".pkl"):
        return "refused"
    try:
        pickle.loads(data)
    except CodeRanError:
        raise
    except Exception:  # it has many
        return "refused"
    return "read"


def read(name: str, data: bytes) -> str:
    """Returns "read" or "refused" after reading a file to its last array.

    Args:
      name: of the file.
      data: its bytes.
    """
    try:
        contents = reading.parse(data, is_graph=name.endswith(".pb"))
        shapes = state.shapes_of(contents.tree)
        small = {key: s for key, s in shapes.items() if np.prod(s, dtype=object) < MAX_ELEMENTS}
        state.arrange([contents.tree], lambda _: small, prefixes=["a."], ignored=["*"])
    except CheckpointError:
        return "refused"
    return "read"


class CodeRanError(Exception):
    """Python was asked for something that no reading of data needs."""


class HungError(Exception):
    """A file took longer than `PATIENCE`."""


def worker(files: dict[str, bytes], seeds: range, reader: Reader, report: Connection) -> None:
    """Reads the files of some seeds; sends each seed, then what happened, at the end the growth.

    Args:
      files: whole ones.
      seeds: of the mutated ones.
      reader: `read`, or the control.
      report: connection to send to: int before a file, str after it, {"grown": bytes} at the end.
    """
    for name, data in files.items():  # all that is imported late is imported now
        reader(name, data)
    for encoding in ("latin-1", "cp437", "raw-unicode-escape", "utf-8", "ascii"):
        b"a".decode(encoding)
    armed, harm = [False], []

    def audit(event: str, _: tuple) -> None:
        if armed[0] and event.startswith(_HARMFUL):
            harm.append(event)
            raise CodeRanError(event)

    def late(*_: object) -> None:
        raise HungError

    sys.addaudithook(audit)
    signal.signal(signal.SIGVTALRM, late)
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    for seed in seeds:
        report.send(seed)
        name, data = mutated(files, seed)
        signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
        armed[0] = True
        try:
            outcome = reader(name, data)
        except Exception as error:  # whatever it is, it is what is looked for
            outcome = f"{type(error).__name__}: {error}"
        finally:
            armed[0] = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if harm:
            outcome = f"code ran: {harm.pop()}"
            harm.clear()
        report.send(outcome)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - start
    report.send({"grown": grown})
    report.close()


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    folder = pathlib.Path(_FILES.value) if _FILES.value else _TESTS
    if not folder.is_dir():
        sys.exit(f"fuzz_checkpoints: {folder} is no folder: name one with --files")
    files = originals(folder)
    begin = time.perf_counter()
    counts, harmful, grown = {"read": 0, "refused": 0}, [], 0
    first, last = _SEED.value, _SEED.value + _COUNT.value
    reader = read_by_python if _CONTROL.value else read
    context = multiprocessing.get_context("spawn")
    while first < last:
        seeds = range(first, min(first + CHUNK, last))
        receive, send = context.Pipe(duplex=False)
        process = context.Process(target=worker, args=(files, seeds, reader, send))
        process.start()
        send.close()
        current = None
        with contextlib.suppress(EOFError):  # the other end is closed
            while True:
                message = receive.recv()
                if isinstance(message, int):
                    current = message
                elif isinstance(message, dict):
                    grown = max(grown, message["grown"])
                elif message in counts:
                    counts[message] += 1
                else:
                    harmful.append((current, message))
        process.join()
        if current is None:
            sys.exit("fuzz_checkpoints: a process ended before it read a file")
        if process.exitcode:
            harmful.append((current, f"the process ended with {process.exitcode}"))
        first = current + 1
    if _KEEP.value and harmful:
        os.makedirs(_KEEP.value, exist_ok=True)
        for seed, *_ in harmful:
            name, data = mutated(files, seed)
            (pathlib.Path(_KEEP.value) / f"{seed}-{name}").write_bytes(data)
    report = {
        "files": _COUNT.value,
        **counts,
        "harm": len(harmful),
        "originals": len(files),
        "seconds": round(time.perf_counter() - begin, 1),
        "megabytes_grown": round(grown / 2**20, 1),
        "harmful": harmful[:20],
    }
    print(json.dumps(report))
    if _OUT.value:
        place = pathlib.Path(_OUT.value)
        place.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.exit(bool(harmful))


if __name__ == "__main__":
    app.run(main)
