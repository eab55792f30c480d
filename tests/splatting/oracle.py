"""A second opinion: splatting in NumPy float64, one Gaussian and one whole picture at a time.

Written from the equations (spec of 3DGS, EWA), shares no line with the package: no tiles, no
chunks, no early exit but the rule itself. It also reports how close each pixel came to a threshold,
so that tests can set aside the pixels where two correct programs may differ by a whole step.
"""

from typing import NamedTuple

import numpy as np


class Picture(NamedTuple):
    color: np.ndarray  # [H, W, C]
    transmittance: np.ndarray  # [H, W]
    depth: np.ndarray  # [H, W]
    margin: np.ndarray  # [H, W] least relative distance to a threshold met at this pixel


def render(scene, *, alpha_max=0.999, dilation=0.3, antialias=False, near=0.01):
    means, quaternions, scales, opacities, features = (np.asarray(x, np.float64) for x in scene[:5])
    cam = scene.camera
    pose = np.asarray(cam.world_to_camera, np.float64)
    (fx, fy), (cx, cy) = np.asarray(cam.focal, float), np.asarray(cam.principal, float)
    v, u = np.mgrid[: cam.height, : cam.width] + 0.5
    color = np.zeros((cam.height, cam.width, features.shape[1]))
    transmittance = np.ones((cam.height, cam.width))
    depth = np.zeros_like(transmittance)
    stopped = np.zeros_like(transmittance, bool)
    margin = np.full_like(transmittance, np.inf)
    camera_points = means @ pose[:3, :3].T + pose[:3, 3]
    for i in np.argsort(camera_points[:, 2], kind="stable"):
        x, y, z = camera_points[i]
        numbers = (*means[i], *quaternions[i], *scales[i], opacities[i], *features[i])
        if not (np.all(np.isfinite(numbers)) and z > near and np.any(quaternions[i])):
            continue
        if max(np.max(np.abs(scales[i])), np.max(np.abs(quaternions[i]))) > 1e9:
            continue  # a determinant or a squared length overflows in float32
        w, a, b, c = quaternions[i] / np.linalg.norm(quaternions[i])
        rotation = np.array([
            [w * w + a * a - b * b - c * c, 2 * (a * b - w * c), 2 * (a * c + w * b)],
            [2 * (a * b + w * c), w * w - a * a + b * b - c * c, 2 * (b * c - w * a)],
            [2 * (a * c - w * b), 2 * (b * c + w * a), w * w - a * a - b * b + c * c],
        ])  # fmt: skip
        world = rotation @ np.diag(scales[i] ** 2) @ rotation.T
        view = pose[:3, :3] @ world @ pose[:3, :3].T
        low_x, high_x = -(cx / fx + 0.15 * cam.width / fx), (1.15 * cam.width - cx) / fx
        low_y, high_y = -(cy / fy + 0.15 * cam.height / fy), (1.15 * cam.height - cy) / fy
        tx, ty = np.clip(x / z, low_x, high_x), np.clip(y / z, low_y, high_y)
        jacobian = np.array([[fx / z, 0, -fx * tx / z], [0, fy / z, -fy * ty / z]])
        thin = jacobian @ view @ jacobian.T
        thick = thin + dilation * np.eye(2)
        opacity = opacities[i]
        if antialias:
            ratio = max(np.linalg.det(thin), 0) / np.linalg.det(thick)
            opacity *= max(np.sqrt(ratio), 0.005)
        conic = np.linalg.inv(thick)
        du, dv = fx * x / z + cx - u, fy * y / z + cy - v
        sigma = 0.5 * (conic[0, 0] * du**2 + conic[1, 1] * dv**2) + conic[0, 1] * du * dv
        alpha = np.minimum(opacity * np.exp(-sigma), alpha_max)
        margin = np.where(stopped, margin, np.minimum(margin, np.abs(alpha * 255 - 1)))
        seen = (alpha >= 1 / 255) & ~stopped
        after = transmittance * (1 - alpha)
        margin = np.where(seen, np.minimum(margin, np.abs(after / 1e-4 - 1)), margin)
        stopped |= seen & (after <= 1e-4)
        weight = np.where(seen & ~stopped, alpha * transmittance, 0)
        color += weight[..., None] * features[i]
        depth += weight * z
        transmittance = transmittance - weight
    return Picture(color, transmittance, depth, margin)
