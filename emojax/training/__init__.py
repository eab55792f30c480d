"""Training: clip -> head. Stages are values, one `step`, one `loop`.

In the order of a run: `recipe` (what is configured), `curriculum` (which frame when), `objectives`
(what is minimised), `rates` (how fast), `state`, `step`, `growth` (more Gaussians), `loop`,
`checkpoints`, `logs`, `sheets`.
"""
