"""What the assembler says about each CUDA kernel: registers, shared memory, spills.

    python kernels/check/ptxas.py [--write | --quick]

Compiles the device code for four architectures, prints one table and, with --write, puts it into
kernels/README.md, beside a key of the sources and flags that it is of. It shows kernels of float:
those of double are for tests. Ends with 1 if the compiler warns or a kernel spills, doubles too;
such a report is not written. Needs nvcc and jax, no GPU; 50 seconds of a core an architecture.

--quick, for continuous integration: one architecture in full, whose numbers must be the report's
where nvcc is of the same release. For the other three the report vouches as long as its key is that
of the sources, which is compared first (and by tests/kernels_build_test.py, without nvcc).

Without nvcc it says so and ends well.
"""

import concurrent.futures
import hashlib
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = ROOT / "kernels" / "README.md"
BEGIN = re.compile(r"<!-- ptxas of (?P<key>\w+) by nvcc (?P<release>[\d.]+) -->")
END = "<!-- end of ptxas -->"
ARCHITECTURES, QUICK = ("80", "90", "100", "120"), ("90",)
ENTRY = re.compile(
    r"entry function '(?P<name>\w+)' for 'sm_(?P<architecture>\w+)'\n.*\n"
    r"\s+(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, "
    r"(?P<loads>\d+) bytes spill loads\n"
    r".*Used (?P<registers>\d+) registers(?:.*?(?P<shared>\d+) bytes smem)?"
)
MODES = ("plain", "tap", "exact")  # Mode of splat_unblend.cuh


def title(name: str) -> str | None:
    """Returns a kernel's name and template arguments for people; None for those of double."""
    kernel = re.search(r"\d+([A-Za-z]+Kernel)(?:I(\w*))?", name)
    arguments = kernel[2] or ""
    if arguments.startswith("d"):
        return None
    numbers = re.findall(r"Li(\d+)E", arguments)
    mode = re.search(r"ModeE(\d)", arguments)
    parts = [*numbers, *([MODES[int(mode[1])]] if mode else [])]
    where = "triplane" if "triplane" in name else "splat"
    return f"{where} {kernel[1].removesuffix('Kernel')}" + (f" {' '.join(parts)}" if parts else "")


def compile_one(source: pathlib.Path, architecture: str) -> str:
    """Returns what nvcc prints about one source."""
    import jax

    from emojax import native_build

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                *native_build.cuda_compiler(), *native_build.CUDA_FLAGS, "-Xptxas=-v",
                f"-gencode=arch=compute_{architecture},code=sm_{architecture}",
                "-isystem", jax.ffi.include_dir(), "-c", str(source), "-o", f"{folder}/out.o",
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        sys.exit(f"{source.name} does not compile for sm_{architecture}:\n{done.stderr[-3000:]}")
    return done.stderr


def sources() -> list[pathlib.Path]:
    """Returns the files that hold kernels."""
    return sorted((ROOT / "kernels").rglob("*_cuda.cu"))


def key(flags: tuple[str, ...]) -> str:
    """Returns 16 digits that change with flags and with device code, whatever it includes."""
    seen: dict[pathlib.Path, bytes] = {}
    waiting = sources()
    while waiting:
        path = waiting.pop().resolve()
        # Headers of other projects are not here, and nvcc does not see the emulator.
        if path.exists() and path not in seen and path.name != "emulator.h":
            seen[path] = path.read_bytes()
            included = re.findall(r'^#include "(.+)"', seen[path].decode(), re.MULTILINE)
            waiting += [path.parent / name for name in included]
    digest = hashlib.sha256(repr(flags).encode())
    for path in sorted(seen):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + seen[path])
    return digest.hexdigest()[:16]


def release(compiler: list[str]) -> str:
    """Returns nvcc's release, such as 13.0."""
    done = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=True)
    return re.search(r"release ([\d.]+)", done.stdout)[1]


def numbers(texts: list[str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Returns by kernel its registers by architecture and "shared" bytes, and what is wrong."""
    rows: dict[str, dict[str, str]] = {}
    wrong = []
    for text in texts:
        wrong += [line for line in text.splitlines() if "warning" in line.lower()]
        for entry in ENTRY.finditer(text):
            name = title(entry["name"])
            if int(entry["stores"]) or int(entry["loads"]):
                wrong.append(f"{entry['name']} spills on sm_{entry['architecture']}")
            if name:
                row = rows.setdefault(name, {"shared": entry["shared"] or "0"})
                row[entry["architecture"]] = entry["registers"]
    return rows, wrong


def table(rows: dict[str, dict[str, str]], architectures: tuple[str, ...]) -> str:
    """Returns the table in Markdown."""
    lines = ["| kernel | shared, bytes | " + " | ".join(f"sm_{a}" for a in architectures) + " |"]
    lines.append("| --- |" + " --- |" * (1 + len(architectures)))
    for name, row in sorted(rows.items()):
        cells = [row["shared"], *(row.get(a, "") for a in architectures)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def committed(text: str) -> tuple[str, str, dict[str, dict[str, str]]]:
    """Returns key, release and numbers of the report in a text."""
    begin = BEGIN.search(text)
    lines = [
        line.strip("| ").split(" | ") for line in text[begin.end() :].split(END)[0].split("\n")
    ]
    head, _, *rows = [cells for cells in lines if len(cells) > 1]
    names = ["shared", *(name.removeprefix("sm_") for name in head[2:])]
    return begin["key"], begin["release"], {
        name: dict(zip(names, cells, strict=True)) for name, *cells in rows
    }  # fmt: skip


def differences(made: dict[str, dict[str, str]], report: dict[str, dict[str, str]]) -> list[str]:
    """Returns in which numbers a report differs from those made now."""
    return [
        f"{name}, {what}: {value}, the report says {report.get(name, {}).get(what)}"
        for name, row in made.items()
        for what, value in row.items()
        if report.get(name, {}).get(what) != value
    ]


def main() -> int:
    """Runs the check."""
    quick, write = "--quick" in sys.argv[1:], "--write" in sys.argv[1:]
    sys.path.insert(0, str(ROOT))
    from emojax import native_build

    compiler, now = native_build.cuda_compiler(), key(native_build.CUDA_FLAGS)
    text = README.read_text()
    was, by, report = committed(text)
    if quick and now != was:
        print(
            "kernels/README.md reports on other sources: run python kernels/check/ptxas.py --write"
        )
        return 1
    if compiler is None:
        print("skipped: no nvcc")
        return 0
    architectures = QUICK if quick else ARCHITECTURES
    jobs = itertools.product(sources(), architectures)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        texts = list(pool.map(lambda job: compile_one(*job), jobs))
    rows, wrong = numbers(texts)
    print(table(rows, architectures))
    if quick and release(compiler) == by:
        wrong += differences(rows, report)
    print("\n".join(wrong) if wrong else "no warnings, no spills")
    if write and not wrong:
        begin = f"<!-- ptxas of {now} by nvcc {release(compiler)} -->"
        found, (_, _, after) = BEGIN.search(text), text.partition(END)
        made = f"{begin}\n\n{table(rows, architectures)}\n\n{END}"
        README.write_text(text[: found.start()] + made + after)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
