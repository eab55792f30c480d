"""Splatting: Gaussians + Camera -> Rendering. Knows nothing of heads, audio or losses."""

from emojax.splatting.render import render, splat

__all__ = ["render", "splat"]
