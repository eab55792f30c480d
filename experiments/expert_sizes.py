"""Runs frozen networks at their official size on made-up weights: memory and seconds.

    python experiments/expert_sizes.py --out benchmarks/expert_sizes.json

Each network runs in a process of its own, so that memory is its own: weights are drawn, taken by
`experts.from_state_dict`, and one forward pass is compiled and run at the native size, one input at
a time. The peak counts all of it, the weights three times over while they are taken. Seconds of
processors count where others share the machine.
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import time

import jax
import numpy as np
from absl import app, flags

from emojax import experts
from emojax.data import files
from emojax.experts import probe, registry
from emojax.experts.checkpoint.refusal import CheckpointError

_NETWORKS = flags.DEFINE_multi_string("network", list(registry.names()), "which networks")
_OUT = flags.DEFINE_string("out", None, "JSON file to write")
_HERE = flags.DEFINE_bool("here", False, "run in this process; for one network")

# Native inputs where those of the probe are smaller.
_NATIVE = {
    "stylegan2_ada": ((1, 18, 512),),
    "stylegan2_rosinality": ((1, 18, 512),),
    "emo_mapping": ((1, 18, 512), (1, 2)),
    "deepspeech": ((500, 494),),
}
_PICTURES = {
    "bisenet": (1, 3, 512, 512),
    "easyportrait_fpn": (1, 3, 512, 512),
    "face_normals": (1, 3, 256, 256),
    "vggface2": (1, 3, 256, 256),
    "lpips_alex": (1, 3, 256, 256),
    "lpips_vgg": (1, 3, 256, 256),
}


def native_inputs(name: str) -> list[np.ndarray]:
    """Returns inputs of a network's native size.

    Args:
      name: of the network.
    """
    if name in _NATIVE:
        return [probe.draw(f"{name}:{i}", shape) for i, shape in enumerate(_NATIVE[name])]
    if name in _PICTURES:
        count = len(registry.get(name).inputs)
        return [probe.draw(f"{i}", _PICTURES[name], kind="bytes") for i in range(count)]
    return probe.inputs(name)


def run(name: str) -> dict:
    """Returns figures of one network.

    Args:
      name: of the network.

    Raises:
      ValueError: an output is not finite.
    """
    layout = registry.get(name).layout({})
    weights = probe.weights(layout)
    count = sum(array.size for array in weights.values())
    start = time.perf_counter()
    network = experts.from_state_dict(name, weights)
    del weights
    loaded = time.perf_counter() - start
    inputs = native_inputs(name)
    outputs = network.outputs(*inputs)
    seconds = []
    for _ in range(2):  # the first pass compiles
        start, work = time.perf_counter(), time.process_time()
        found = network.apply(network.params, *inputs, outputs=outputs)
        shapes = {key: list(value.block_until_ready().shape) for key, value in found.items()}
        seconds.append(time.perf_counter() - start)
        work = time.process_time() - work
    if not all(np.isfinite(np.asarray(value)).all() for value in found.values()):
        raise ValueError(f"{name}: not all outputs are finite")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return {
        "arrays": len(layout),
        "million_numbers": count / 1e6,
        "seconds_to_take": loaded,
        "seconds_with_compilation": seconds[0],
        "seconds_again": seconds[1],
        "processor_seconds_again": work,
        "gibibytes_at_most": peak,
        "inputs": [list(np.shape(value)) for value in inputs],
        "outputs": shapes,
    }


def told(name: str, figures: dict) -> str:
    """Returns a line on one network.

    Args:
      name: of the network.
      figures: of `run`.
    """
    return (
        f"{name}: {figures['arrays']} arrays, {figures['million_numbers']:.1f} M numbers; taken in "
        f"{figures['seconds_to_take']:.1f} s, compiled and run in "
        f"{figures['seconds_with_compilation']:.1f} s, again in {figures['seconds_again']:.2f} s "
        f"({figures['processor_seconds_again']:.2f} s of processors); "
        f"{figures['gibibytes_at_most']:.1f} GiB at most; {figures['outputs']}"
    )


def main(argv: list[str]) -> None:
    """Runs the networks, one after the other."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    try:
        for name in _NETWORKS.value:
            registry.get(name)
    except CheckpointError as error:
        sys.exit(f"expert_sizes: {error}")
    if _HERE.value:
        print(json.dumps(run(_NETWORKS.value[0])))
        return
    networks = {}
    for name in _NETWORKS.value:
        command = [sys.executable, __file__, "--here", f"--network={name}"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        networks[name] = json.loads(done.stdout)
        print(told(name, networks[name]), flush=True)
    if _OUT.value:
        device = jax.devices()[0].device_kind
        machine = {"device": device, "cores": os.cpu_count(), "jax": jax.__version__}
        found = {"machine": machine, "networks": networks}
        files.write_text(pathlib.Path(_OUT.value), json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    app.run(main)
