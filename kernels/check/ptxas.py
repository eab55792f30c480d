"""What the assembler says about each CUDA kernel: registers, shared memory, spills.

    python kernels/check/ptxas.py [--write] [ARCHITECTURE ...]

Compiles the device code for the architectures (80 90 100 120), prints one table and, with --write,
puts it into kernels/README.md. Kernels of float alone: those of double are for tests. Ends with 1
if the compiler warns or a kernel spills. Needs nvcc and jax, no GPU; about a minute an
architecture. Without nvcc it says so and ends well.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = ROOT / "kernels" / "README.md"
BEGIN, END = "<!-- ptxas -->", "<!-- end of ptxas -->"
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


def table(texts: list[str], architectures: list[str]) -> tuple[str, list[str]]:
    """Returns the table in Markdown, and what is wrong."""
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
    lines = ["| kernel | shared, bytes | " + " | ".join(f"sm_{a}" for a in architectures) + " |"]
    lines.append("| --- |" + " --- |" * (1 + len(architectures)))
    for name, row in sorted(rows.items()):
        cells = [row["shared"], *(row.get(a, "") for a in architectures)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines), wrong


def main() -> int:
    """Runs the check."""
    arguments = sys.argv[1:]
    sys.path.insert(0, str(ROOT))
    from emojax import native_build

    if native_build.cuda_compiler() is None:
        print("skipped: no nvcc")
        return 0
    architectures = [a for a in arguments if a != "--write"] or ["80", "90", "100", "120"]
    sources = sorted((ROOT / "kernels").rglob("*_cuda.cu"))
    texts = []
    for architecture in architectures:
        texts += [compile_one(source, architecture) for source in sources]
    text, wrong = table(texts, architectures)
    print(text)
    print("\n".join(wrong) if wrong else "no warnings, no spills")
    if "--write" in arguments:
        before, _, rest = README.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        README.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
