#!/usr/bin/env bash
# Everything that needs a GPU, in one command of less than nine minutes:
#
#   benchmarks/gpu_check.sh FOLDER
#   benchmarks/gpu_check.sh --dry FOLDER
#
# Builds the CUDA kernels, runs their tests and their parity with plain JAX, compute-sanitizer on small
# scenes, the side by side with gsplat, the head's training steps and frames a second. Every step has
# its own time limit; one that fails is recorded, the others still run. --dry does the same steps, small
# and with the device code on its emulator, on a machine without a GPU: to see that the script is whole.
#
# FOLDER gets seven files at most, a few megabytes together and none in a subfolder, since what leaves a
# borrowed machine often has to fit through a narrow door:
#
#   gpu_check.json                what ran, how it ended, how long it took, and all the figures
#   gpu_check.log                 what every step said
#   kernels_gpu.json .md .png     the side by side (experiments/time_kernels.py)
#   head_gpu.json .md             the head (experiments/time_head.py)
#
# Everything else (built kernels, gsplat's build, what wheels hold, compiled programs) lies in SCRATCH,
# a folder below TMPDIR unless named; a second run on the same machine finds it there and is faster.
#
# Needs nvcc, g++, jax with CUDA, flax, optax, orbax, chex, hypothesis, pytest and pytest-xdist; no
# network, no git, no repository: a copy of the sources will do. Wheels in .whl/ (ignored by git) are
# installed into SCRATCH first: gsplat, without which the side by side shows our own figures alone, and
# what the machine lacks of requirements.txt, without which the head is not timed. To fetch them,
# where there is a network:
#
#   python3 -m pip download --no-deps --only-binary=:all: --python-version 3.12 \
#     --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 -d .whl \
#     gsplat==1.5.3 av soundfile cffi pycparser
set -uo pipefail
cd "$(dirname "$0")/.."
dry=
if [ "${1:-}" = --dry ]; then dry=1; shift; fi
out=$(mkdir -p "${1:?usage: $0 [--dry] FOLDER}" && cd "$1" && pwd) || exit 2
scratch=${SCRATCH:-${TMPDIR:-/tmp}/emojax_gpu_check}
logs="$scratch/logs"
rm -rf "$logs"
mkdir -p "$logs" || exit 2
rm -f "$out"/{gpu_check,kernels_gpu,head_gpu}.json  # of an earlier run
python=${PYTHON:-python3}
export python PYTHONUNBUFFERED=1 PYTHONPATH="$scratch/site:$PWD${PYTHONPATH:+:$PYTHONPATH}"
export EMOJAX_CACHE="${EMOJAX_CACHE:-$scratch/cache}" JAX_COMPILATION_CACHE_DIR="$scratch/jax"
export TORCH_EXTENSIONS_DIR="$scratch/torch" MAX_JOBS=12
# References come from the CPU kernels of one instruction set.
EMOJAX_ISA=$("$python" -c 'from emojax import native_build; print(native_build.supported_isas()[0])')
export EMOJAX_ISA
# Two frameworks share the card.
export XLA_PYTHON_CLIENT_PREALLOCATE=false
results="$logs/steps.tsv"
: >"$results"
device=cuda grid=gpu head="--rounds=5" tests=()
if [ -n "$dry" ]; then
  device=emulated grid=gpu_tiny head="--rounds=1 --small"
  tests=(-k "any_number_of_points or order_of_threads")
fi

# step NAME SECONDS COMMAND...: runs it with a limit; records its status and how long it took.
step() {
  local name=$1 limit=$2 begin=$EPOCHREALTIME status
  shift 2
  [ -n "$dry" ] && limit=$((20 * limit))  # a machine without a GPU is slow with all of it
  timeout --kill-after=5 "$limit" "$@" >"$logs/$name.log" 2>&1
  status=$?
  awk -v name="$name" -v status="$status" -v begin="$begin" -v end="$EPOCHREALTIME" \
    'BEGIN { printf "%s\t%s\t%.1f\n", name, status, end - begin }' >>"$results"
  echo "== $name: status $status"
  tail -n 4 "$logs/$name.log"
}

# gsplat compiles itself at first import, for minutes: beside everything that is not timed.
gsplat() {
  if ! "$python" -c 'import importlib.util as u; exit(u.find_spec("gsplat") is None)'; then
    echo "skipped: gsplat is not installed"
    return 0
  fi
  TORCH_CUDA_ARCH_LIST=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1)
  export TORCH_CUDA_ARCH_LIST
  "$python" -c 'from gsplat.cuda._backend import _C
import gsplat
print("gsplat", gsplat.__version__, _C)
exit(_C is None)'
}

machine() {
  nproc
  command -v nvidia-smi nvcc compute-sanitizer "${CXX:-g++}"
  [ -n "$dry" ] || nvidia-smi -q -d CLOCK,MEMORY
  "$python" -c 'import jax, sys; print(sys.version, jax.__version__, jax.devices())'
}

# One buffer an allocation, so that memcheck sees where each ends; our kernels alone (the option that
# says so has had two names), which "kns" names by a part of their names.
sanitize() {
  local only command=()
  export XLA_PYTHON_CLIENT_ALLOCATOR=platform
  if [ -z "$dry" ]; then
    only=$(compute-sanitizer --help | grep -oE -m1 -e '--(kernel-regex|filter)\b' | head -1)
    command=(compute-sanitizer --tool "$1" --error-exitcode 9 ${only:+"$only" kns=emojax})
  fi
  ${command[@]+"${command[@]}"} "$python" kernels/check/small_scenes.py "$device"
}
export -f gsplat machine sanitize
export dry device

if compgen -G '.whl/*.whl' >/dev/null; then
  step wheels 30 "$python" -m pip install -q --no-index --no-deps --no-compile --upgrade \
    --target "$scratch/site" .whl/*.whl
fi
step gsplat 260 bash -c gsplat &
gsplat_job=$!
step machine 30 bash -c machine
step build 100 "$python" -c "from concurrent import futures
from emojax import native
with futures.ThreadPoolExecutor() as pool:
    list(pool.map(lambda isa: native.require(isa_name=isa), ('$device', '$EMOJAX_ISA')))"
EMOJAX_TEST_DEVICE=$device step tests 110 "$python" -m pytest -q -n 8 --dist worksteal \
  -p no:cacheprovider ${tests[@]+"${tests[@]}"} \
  tests/splatting/device_test.py tests/encoders/device_test.py
step memcheck 60 bash -c "sanitize memcheck" &
memcheck_job=$!
step racecheck 60 bash -c "sanitize racecheck"
wait "$memcheck_job" "$gsplat_job"
# First calls are timed: nothing may be found compiled.
JAX_ENABLE_COMPILATION_CACHE=false step kernels 130 "$python" experiments/time_kernels.py --out="$out/kernels_gpu" --grid="$grid"
# shellcheck disable=SC2086
step head 70 "$python" experiments/time_head.py --out="$out/head_gpu" $head

"$python" - "$out" "$logs" "$dry" <<'PY'
import json, pathlib, sys

out, logs = map(pathlib.Path, sys.argv[1:3])
rows = [line.split("\t") for line in (logs / "steps.tsv").read_text().splitlines()]
said = {name: (logs / f"{name}.log").read_text(errors="replace") for name, _, _ in rows}
report = {
    "dry": bool(sys.argv[3]),
    "steps": {
        name: {
            "status": int(status),
            "seconds": float(seconds),
            "last lines": said[name].splitlines()[-3:],
        }
        for name, status, seconds in rows
    },
}
for name in ("kernels_gpu", "head_gpu"):
    path = out / f"{name}.json"
    report[name] = json.loads(path.read_text()) if path.exists() else None
(out / "gpu_check.json").write_text(json.dumps(report, indent=1) + "\n")
MOST = 500_000  # characters of a step
text = "".join(f"==== {name}\n{log[-MOST:]}\n" for name, log in said.items())
(out / "gpu_check.log").write_text(text)
failed = [name for name, step in report["steps"].items() if step["status"]]
print("failed:", ", ".join(failed) if failed else "nothing")
sys.exit(bool(failed))
PY
