"""The numbers that define splatting, each with its reason.

The kernels read the same values, under the same names, from `kernels/splat/constants.h`;
`tests/splatting/constants_test.py` compares the two. A change is made in both, and the golden pair
counts of `tests/splatting/tiles_test.py` then say what it does.
"""

# Side of a tile, pixels. 16 is the choice of 3DGS and gsplat; a row of 16 floats is one AVX-512
# register, and 256 pixels one CUDA block.
TILE_SIZE = 16

# A Gaussian that contributes less than one step of an 8-bit picture at a pixel is skipped there.
# This also bounds its extent: alpha falls to this value at sqrt(2 ln(255 opacity)) standard
# deviations.
ALPHA_MIN = 1 / 255

# Default cap of one Gaussian's alpha at a pixel: transmittance never reaches zero in one step, so
# the gradient of what lies behind is never cut. 3DGS and gsplat >= 1.6 use 0.99, gsplat 1.5 uses
# 0.999.
ALPHA_MAX = 0.999

# A pixel stops before the Gaussian that would bring its transmittance to this value or below: what
# lies behind cannot change an 8-bit picture (3DGS, Kerbl et al. 2023, sec. 6).
TRANSMITTANCE_MIN = 1e-4

# Added to both variances of every projected Gaussian, square pixels: each covers about a pixel, so
# that none falls between pixel centres (3DGS's low-pass filter).
DILATION = 0.3

# Defaults of the depth range, metres. Nearer than 1 cm nothing of a portrait can be.
NEAR = 0.01
FAR = 1e10

# The Jacobian of the projection is taken at most this fraction of the picture's size outside of it:
# the affine approximation explodes at grazing angles (EWA; value of gsplat).
FOV_MARGIN = 0.15

# Floor of the antialiasing factor sqrt(det / det dilated), where its derivative would be infinite
# (value of gsplat >= 1.6).
COMPENSATION_MIN = 0.005

# Quaternions of a smaller squared length have no direction in float32: such a Gaussian is dead.
QUATERNION_NORM2_MIN = 1e-24

# Slack of the exact tile test, in units of 2 * exponent: rounding may at most list a pair too much,
# never drop a pixel that reaches ALPHA_MIN.
TILE_SLACK = 1e-4

# Factor on extents where they become whole pixels, for the same reason.
EXTENT_SLACK = 1.001
