"""All frozen networks that the project knows, by name."""

from __future__ import annotations

import difflib

from emojax.experts import (
    bisenet,
    deepspeech,
    e4e_encoder,
    easyportrait_fpn,
    emo_mapping,
    emonet,
    face_normals,
    fan,
    lpips,
    spec,
    stylegan2_ada,
    stylegan2_rosinality,
    syncnet,
    vggface2,
    wav2lip_syncnet,
)
from emojax.experts.checkpoint.refusal import CheckpointError

_SPECS = {
    network.name: network
    for network in (
        *emonet.SPECS,
        syncnet.SPEC,
        wav2lip_syncnet.SPEC,
        fan.SPEC,
        bisenet.SPEC,
        easyportrait_fpn.SPEC,
        *lpips.SPECS,
        face_normals.SPEC,
        vggface2.SPEC,
        stylegan2_ada.SPEC,
        stylegan2_rosinality.SPEC,
        emo_mapping.SPEC,
        e4e_encoder.SPEC,
        deepspeech.SPEC,
    )
}


def names() -> tuple[str, ...]:
    """Returns the names of all networks."""
    return tuple(_SPECS)


def get(name: str) -> spec.Spec:
    """Returns what is known of the network called `name`.

    Raises:
      CheckpointError: there is none of this name.
    """
    if name in _SPECS:
        return _SPECS[name]
    near = difflib.get_close_matches(name, _SPECS, n=3) or list(_SPECS)
    raise CheckpointError(
        expected="the name of a network", got=repr(name), fix=f"Take one of {', '.join(near)}."
    )


def find(shapes: spec.Shapes) -> str | None:
    """Returns the network whose layout shares most keys and shapes with a file's, if half fits.

    Args:
      shapes: of the file, by key, without prefixes.
    """

    def share(network: spec.Spec) -> float:
        layout = network.layout(shapes)
        return sum(shapes.get(key) == shape for key, shape in layout.items()) / len(layout)

    best = max(_SPECS.values(), key=share)
    return best.name if share(best) > 0.5 else None
