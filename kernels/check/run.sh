#!/usr/bin/env bash
# Builds kernels/check/check_kernels.cc with a sanitizer and runs it, for each instruction set of this
# processor, then check_device.cc: the device code on an emulator, which knows one thread at a time
# and is its own judge of races. Needs g++ or clang++ and nothing else.
#
#   kernels/check/run.sh address|undefined|thread
set -euo pipefail
cd "$(dirname "$0")"
case "${1:-}" in
  address) flags="-fsanitize=address" ;;
  undefined) flags="-fsanitize=undefined -fno-sanitize-recover=all" ;;
  thread) flags="-fsanitize=thread" ;;
  *) echo "usage: $0 address|undefined|thread" >&2; exit 2 ;;
esac
compiler=${CXX:-g++}
if ! command -v "${compiler%% *}" >/dev/null; then
  echo "skipped: no C++ compiler"
  exit 0
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
has() { grep -q -w "$1" /proc/cpuinfo 2>/dev/null; }
sets=("portable:")
if has avx2 && has fma; then sets+=("avx2:-mavx2 -mfma -mbmi -mbmi2 -mpopcnt"); fi
if has avx512f && has avx512dq && has avx512bw && has avx512vl; then
  sets+=("avx512:-mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mbmi -mbmi2 -mpopcnt")
fi
check() {
  # shellcheck disable=SC2086
  $compiler -std=c++20 -O1 -g -pthread -Wall -Wextra -Wno-psabi -Wno-ignored-attributes \
    -ffp-contract=fast -fno-math-errno -fno-trapping-math $flags $2 \
    check_kernels.cc -o "$out/check_$1"
  local said
  said=$("$out/check_$1" 2>&1) || { echo "$1: $said"; return 1; }
  echo "$1: $said"
}
check_device() {
  # shellcheck disable=SC2086
  $compiler -std=c++20 -O1 -g -Wall -Wextra -Wno-psabi -Wno-ignored-attributes -ffp-contract=off \
    $flags check_device.cc -o "$out/check_device"
  local said
  said=$("$out/check_device" 2>&1) || { echo "device code: $said"; return 1; }
  echo "$said"
}
jobs=()
for set in "${sets[@]}"; do
  check "${set%%:*}" "${set#*:}" &
  jobs+=($!)
done
if [ "$1" != thread ]; then
  check_device &
  jobs+=($!)
fi
status=0
for job in "${jobs[@]}"; do wait "$job" || status=1; done
[ $status = 0 ] && echo "$1 sanitizer: clean"
exit $status
