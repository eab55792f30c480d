"""Every metric by name: unit, which way is better, version. Names are those of reports and CSVs.

A changed definition gets a new version here, which changes the hash of every protocol.
"""

from __future__ import annotations

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
      name: in reports.
      title: for people, with its unit.
      better: which way is better.
      version: of its definition.
      per_frame: whether every frame has a value; else the film has one.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    version: int = 1
    per_frame: bool = True


METRICS = (
    Metric("psnr", "PSNR, dB", "higher"),
    Metric("psnr_head", "PSNR of the head, dB", "higher"),
    Metric("psnr_mouth", "PSNR of the mouth, dB", "higher"),
    Metric("ssim", "SSIM", "higher"),
    Metric("lpips", "LPIPS (AlexNet)", "lower"),
    Metric("lmd", "LMD, px", "lower"),
    Metric("lmd_relative", "LMD, % of eye distance", "lower"),
    Metric("lip_correlation", "lips' opening, correlation", "higher", per_frame=False),
    Metric("aue_upper", "AU error, upper face", "lower"),
    Metric("aue_lower", "AU error, lower face", "lower"),
    Metric("jitter", "trembling, px", "lower"),
    Metric("flicker", "flicker, grey levels", "lower"),
    Metric("seam", "seam, grey levels / px", "lower"),
    Metric("seam_body", "seam at the neck", "lower"),
    Metric("silent_motion", "lips move in silence, %", "lower"),
    Metric("silent_gap", "lips' gap in silence, % off", "lower"),
)

JUDGED = (
    "lmd",
    "lmd_relative",
    "lip_correlation",
    "aue_upper",
    "aue_lower",
    "jitter",
    "silent_motion",
    "silent_gap",
)
