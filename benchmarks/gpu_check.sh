#!/usr/bin/env bash
# Everything that needs a GPU, in one command of less than nine minutes:
#
#   benchmarks/gpu_check.sh FOLDER
#
# Builds the CUDA kernels, runs their tests, compute-sanitizer on small scenes, the side by side with
# gsplat, the head's training steps and frames a second, and writes FOLDER/gpu_check.json beside each
# step's log. Every step has its own time limit; one that fails is recorded, the others still run.
# Needs nvcc, jax with CUDA and pytest, and no network. Wheels in .whl/ (ignored by git) are installed
# first: gsplat, without which the side by side shows our own figures alone, and what the machine
# lacks of requirements.txt (av, soundfile and its cffi), without which the head is not timed.
set -uo pipefail
cd "$(dirname "$0")/.."
out=$(mkdir -p "${1:?usage: $0 FOLDER}" && cd "$1" && pwd)
python=${PYTHON:-python3}
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export EMOJAX_CACHE="${EMOJAX_CACHE:-$out/cache}" JAX_COMPILATION_CACHE_DIR="$out/jax"
export TORCH_EXTENSIONS_DIR="$out/torch" MAX_JOBS=12
# Two frameworks share the card.
export XLA_PYTHON_CLIENT_PREALLOCATE=false
results="$out/steps.tsv"
: >"$results"

# step NAME SECONDS COMMAND...: runs it with a limit; records its status and how long it took.
step() {
  local name=$1 limit=$2 begin status
  shift 2
  begin=$(date +%s.%N)
  timeout --kill-after=5 "$limit" "$@" >"$out/$name.log" 2>&1
  status=$?
  printf '%s\t%s\t%s\n' "$name" "$status" "$(echo "$(date +%s.%N) $begin" | awk '{print $1 - $2}')" \
    >>"$results"
  echo "== $name: status $status"
  tail -n 4 "$out/$name.log"
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
print("gsplat", gsplat.__version__, _C)'
}
export -f gsplat
export python
export PYTHONPATH="$out/site:$PYTHONPATH"
if compgen -G '.whl/*.whl' >/dev/null; then
  step wheels 30 "$python" -m pip install -q --no-index --no-deps --target "$out/site" .whl/*.whl
fi
step gsplat 280 bash -c gsplat &
gsplat_job=$!

step machine 10 nvidia-smi -q -d CLOCK,MEMORY
step build 100 "$python" -c 'import time; t = time.perf_counter()
from emojax import native
native.require(isa_name="cuda"); print("seconds", time.perf_counter() - t)'
EMOJAX_TEST_DEVICE=cuda step tests 120 "$python" -m pytest -q -n 6 --dist loadfile \
  -p no:cacheprovider tests/splatting/device_test.py tests/encoders/device_test.py
# One buffer an allocation, so that memcheck sees where each ends.
export XLA_PYTHON_CLIENT_ALLOCATOR=platform
# Our kernels alone; the option that says so has had several names.
only=$(compute-sanitizer --help 2>/dev/null | grep -oE -m1 -e '--(kernel-regex|kernel-name|filter)\b' || true)
for tool in memcheck racecheck; do
  step "$tool" 45 compute-sanitizer --tool "$tool" --error-exitcode 9 ${only:+"$only" kns=emojax} \
    "$python" kernels/check/small_scenes.py
done
unset XLA_PYTHON_CLIENT_ALLOCATOR
wait "$gsplat_job"
step kernels 120 "$python" experiments/time_kernels.py --out="$out/kernels_gpu" --grid=gpu
step head 70 "$python" experiments/time_head.py --out="$out/head_gpu" --rounds=3

"$python" - "$out" <<'PY'
import json, pathlib, subprocess, sys

out = pathlib.Path(sys.argv[1])
rows = [line.split("\t") for line in (out / "steps.tsv").read_text().splitlines()]
report = {
    "commit": subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True
    ).stdout.strip() or "unknown",
    "steps": {
        name: {
            "status": int(status),
            "seconds": float(seconds),
            "last lines": (out / f"{name}.log").read_text(errors="replace").splitlines()[-3:],
        }
        for name, status, seconds in rows
    },
}
for name in ("kernels_gpu", "head_gpu"):
    path = out / f"{name}.json"
    report[name] = json.loads(path.read_text()) if path.exists() else None
(out / "gpu_check.json").write_text(json.dumps(report, indent=1) + "\n")
failed = [name for name, step in report["steps"].items() if step["status"]]
print("failed:", ", ".join(failed) if failed else "nothing")
sys.exit(bool(failed))
PY
