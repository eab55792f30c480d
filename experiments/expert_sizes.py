"""Runs frozen networks at their official size on made-up weights: memory and seconds.

    python experiments/expert_sizes.py --network stylegan2_ada --network deepspeech

Each network runs in a process of its own, so that memory is its own: weights are drawn, taken by
`experts.from_state_dict`, and one forward pass is compiled and run at the native size.
"""

import resource
import subprocess
import sys
import time

import numpy as np
from absl import app, flags

from emojax import experts
from emojax.experts import probe, registry

_NETWORKS = flags.DEFINE_multi_string(
    "network", ["stylegan2_ada", "stylegan2_rosinality", "deepspeech"], "which networks"
)
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


def run(name: str) -> str:
    """Returns a line on one network.

    Args:
      name: of the network.
    """
    layout = registry.get(name).layout({})
    weights = probe.weights(layout)
    count = sum(array.size for array in weights.values())
    start = time.perf_counter()
    network = experts.from_state_dict(name, weights)
    del weights
    loaded = time.perf_counter() - start
    inputs = native_inputs(name)
    seconds = []
    for _ in range(2):  # the first pass compiles
        start = time.perf_counter()
        found = network.apply(network.params, *inputs)
        shapes = {key: tuple(value.block_until_ready().shape) for key, value in found.items()}
        seconds.append(time.perf_counter() - start)
    if not all(np.isfinite(np.asarray(value)).all() for value in found.values()):
        raise ValueError(f"{name}: not all outputs are finite")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return (
        f"{name}: {len(layout)} arrays, {count / 1e6:.1f} M numbers; taken in {loaded:.1f} s, "
        f"compiled and run in {seconds[0]:.1f} s, again in {seconds[1]:.2f} s; "
        f"{peak:.1f} GiB at most; {shapes}"
    )


def main(argv: list[str]) -> None:
    """Runs the networks, one after the other."""
    del argv
    if _HERE.value:
        print(run(_NETWORKS.value[0]), flush=True)
        return
    for name in _NETWORKS.value:
        registry.get(name)
        subprocess.run([sys.executable, __file__, "--here", f"--network={name}"], check=True)


if __name__ == "__main__":
    app.run(main)
