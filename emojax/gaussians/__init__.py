"""The cloud of 3D Gaussians: its start, the meaning of its numbers, its growth, its export.

In the order of a head's life. `harmonics` (basis, evaluate, view_directions, rgb_to_harmonic,
harmonic_to_rgb), `normals` (world, seen, to_picture) and `ply` (save, load) are used as namespaces.
"""

from emojax.gaussians import harmonics, normals, ply
from emojax.gaussians.activations import Activated, activate, park, raw_opacities, raw_scales
from emojax.gaussians.density import (
    DensityStatistics,
    Info,
    SlotMap,
    accumulate,
    compact,
    densify,
    grow,
    init_statistics,
    prune,
    remap,
    reset_moments,
)
from emojax.gaussians.initialize import (
    empty,
    from_box,
    from_points,
    nearest_neighbour_distances,
)

# A starting cloud.
__all__ = ["empty", "from_box", "from_points", "nearest_neighbour_distances"]

# Raw parameters -> constrained ones, and back.
__all__ += ["Activated", "activate", "park", "raw_opacities", "raw_scales"]

# Colour from a direction; surfaces.
__all__ += ["harmonics", "normals"]

# Growth and removal while training.
__all__ += [
    "DensityStatistics",
    "Info",
    "SlotMap",
    "accumulate",
    "compact",
    "densify",
    "grow",
    "init_statistics",
    "prune",
    "remap",
    "reset_moments",
]

# Files.
__all__ += ["ply"]
