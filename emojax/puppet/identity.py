"""Who the actor is: some fifty numbers of build, looks and voice.

Numbers of build are -1 to 1, where 0 is an average face and the ends are as far as faces of the
population go; numbers of looks are 0 to 1. An average face in a body that owes nothing to chance is
`average()`; `sample` draws people whose numbers hang together: a broad jaw comes with a heavy
brow, a deep voice and, more often than not, short hair, and skin, hair and eyes share pigment.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import struct


@struct.dataclass
class Identity:
    """One person; every number is a float32 [], leading axes are free.

    Attributes:
      face_width: build, -1 to 1, as all down to `lean`.
      face_depth: how far the cheeks lie behind the nose: flat to keen.
      skull_height: of the forehead and the crown.
      forehead: sloping to bulging.
      brow_ridge: none to heavy.
      jaw_width: pointed to square.
      chin_length: short to long.
      chin_width: narrow to broad.
      chin_forward: receding to prominent.
      cheek_bone: flat to high.
      cheek_fat: hollow to full.
      eye_size: narrow to wide open.
      eye_width: short to long.
      eye_spacing: near to far.
      eye_tilt: outer corners low to high.
      lid_crease: single lid to deep fold.
      nose_length: short to long.
      nose_width: narrow to broad.
      nose_bridge: low to high.
      nose_tip: down to upturned.
      mouth_width: narrow to wide.
      mouth_height: low to high on the face.
      upper_lip: thin to full.
      lower_lip: thin to full.
      cupid_bow: straight to pronounced.
      ear_size: small to large.
      neck_width: slender to thick.
      shoulder_width: narrow to broad.
      brow_height: low to high.
      brow_arch: straight to arched.
      brow_tilt: outer ends low to high.
      brow_thickness: thin to bushy.
      lean: asymmetry of the face, left to right.
      melanin: pigment of the skin, 0 fair to 1 dark; looks, 0 to 1, as all down to `pattern`.
      ruddiness: blood in the skin.
      lip_redness: pale to red.
      freckles: none to many.
      age: smooth skin to lined.
      iris_melanin: blue to dark brown.
      iris_green: hue of irises of little pigment.
      hair_melanin: fair to black.
      hair_redness: ashen to red.
      hair_gray: none to all.
      hair_volume: close-cropped to full.
      hair_length: to the ears to below the shoulders.
      hair_curl: straight to curled.
      hairline: low on the forehead to bald.
      fringe: none to over the forehead.
      beard: none to full.
      lashes: fair to dark.
      cloth_hue: around the circle of colours.
      cloth_chroma: gray to colourful.
      cloth_light: black to white.
      neckline: round to a deep V.
      pattern: plain, then striped.
      voice_pitch: voice, -1 deep to 1 high.
      voice_tract: -1 long vocal tract (large head) to 1 short.
    """

    face_width: jax.Array
    face_depth: jax.Array
    skull_height: jax.Array
    forehead: jax.Array
    brow_ridge: jax.Array
    jaw_width: jax.Array
    chin_length: jax.Array
    chin_width: jax.Array
    chin_forward: jax.Array
    cheek_bone: jax.Array
    cheek_fat: jax.Array
    eye_size: jax.Array
    eye_width: jax.Array
    eye_spacing: jax.Array
    eye_tilt: jax.Array
    lid_crease: jax.Array
    nose_length: jax.Array
    nose_width: jax.Array
    nose_bridge: jax.Array
    nose_tip: jax.Array
    mouth_width: jax.Array
    mouth_height: jax.Array
    upper_lip: jax.Array
    lower_lip: jax.Array
    cupid_bow: jax.Array
    ear_size: jax.Array
    neck_width: jax.Array
    shoulder_width: jax.Array
    brow_height: jax.Array
    brow_arch: jax.Array
    brow_tilt: jax.Array
    brow_thickness: jax.Array
    lean: jax.Array
    melanin: jax.Array
    ruddiness: jax.Array
    lip_redness: jax.Array
    freckles: jax.Array
    age: jax.Array
    iris_melanin: jax.Array
    iris_green: jax.Array
    hair_melanin: jax.Array
    hair_redness: jax.Array
    hair_gray: jax.Array
    hair_volume: jax.Array
    hair_length: jax.Array
    hair_curl: jax.Array
    hairline: jax.Array
    fringe: jax.Array
    beard: jax.Array
    lashes: jax.Array
    cloth_hue: jax.Array
    cloth_chroma: jax.Array
    cloth_light: jax.Array
    neckline: jax.Array
    pattern: jax.Array
    voice_pitch: jax.Array
    voice_tract: jax.Array


_FIELDS = tuple(Identity.__dataclass_fields__)
BUILD = _FIELDS[: _FIELDS.index("melanin")]
LOOKS = _FIELDS[len(BUILD) : _FIELDS.index("voice_pitch")]

# What masculine build adds to a number of build; the signs are those of textbook dimorphism
# (Farkas 1994, "Anthropometry of the head and face"), the sizes are ours.
_MASCULINE = {
    "brow_ridge": 0.6,
    "jaw_width": 0.5,
    "chin_length": 0.3,
    "chin_width": 0.45,
    "nose_length": 0.25,
    "nose_bridge": 0.2,
    "neck_width": 0.7,
    "shoulder_width": 0.7,
    "brow_height": -0.35,
    "brow_thickness": 0.45,
    "brow_arch": -0.45,
    "eye_size": -0.2,
    "upper_lip": -0.35,
    "lower_lip": -0.3,
    "cheek_fat": -0.2,
    "forehead": -0.4,
}
_SPREAD = 0.48  # standard deviation of build, before clipping at 1


def average() -> Identity:
    """Returns a person of average build and medium looks: brown hair, no beard, plain cloth."""
    looks = {name: 0.4 for name in LOOKS} | {"freckles": 0.0, "beard": 0.0, "hair_gray": 0.0}
    looks |= {"hairline": 0.2, "fringe": 0.0, "hair_length": 0.0, "age": 0.2, "hair_curl": 0.1}
    looks |= {"pattern": 0.0, "hair_redness": 0.2, "hair_melanin": 0.7, "cloth_hue": 0.6}
    return Identity(**{name: jnp.float32(looks.get(name, 0.0)) for name in _FIELDS})


def sample(key: jax.Array) -> Identity:
    """Returns a random person.

    Args:
      key: consumed.

    Returns:
      One `Identity`; `jax.vmap` over keys gives a population.
    """
    key_build, key_looks, key_latent = jax.random.split(key, 3)
    normal = jax.random.normal(key_build, (len(_FIELDS),))
    uniform = jax.random.uniform(key_looks, (len(_FIELDS),))
    build = {name: _SPREAD * normal[i] for i, name in enumerate(_FIELDS)}
    u = {name: uniform[i] for i, name in enumerate(_FIELDS)}
    sex, pigment, chance = jax.random.uniform(key_latent, (3,))
    masculine = jnp.clip(3 * (sex - 0.5), -1, 1)  # two humps: few faces lie in the middle
    for name, weight in _MASCULINE.items():
        build[name] += weight * masculine
    build["nose_width"] += 0.9 * (pigment - 0.4)
    build["upper_lip"] += 0.5 * (pigment - 0.4)
    build["lower_lip"] += 0.5 * (pigment - 0.4)
    build["lean"] *= 0.6

    man = masculine > 0
    age = u["age"] ** 1.5
    dark = jnp.clip(1.8 * pigment - 0.25 + 0.3 * (u["hair_melanin"] - 0.5), 0, 1)
    curl = jnp.clip(1.5 * (pigment - 0.55) + 0.6 * (u["hair_curl"] - 0.35), 0, 1)
    bald = man & (u["hairline"] > 0.85)
    looks = {
        "melanin": jnp.clip(pigment**1.6 + 0.12 * (u["melanin"] - 0.5), 0, 1),
        "ruddiness": u["ruddiness"],
        "lip_redness": jnp.clip(0.35 + 0.5 * u["lip_redness"] - 0.2 * masculine, 0, 1),
        "freckles": jnp.where(pigment < 0.35, jnp.maximum(2 * u["freckles"] - 1, 0), 0),
        "age": age,
        "iris_melanin": jnp.clip(2.2 * pigment - 0.3 + 0.4 * (u["iris_melanin"] - 0.5), 0, 1),
        "iris_green": u["iris_green"],
        "hair_melanin": jnp.clip(0.12 + 0.95 * dark, 0, 1),
        "hair_redness": u["hair_redness"] ** 2,
        "hair_gray": jnp.clip(3 * age - 1.8 + u["hair_gray"], 0, 1),
        "hair_volume": jnp.where(man, 0.15 + 0.5 * u["hair_volume"], 0.35 + 0.6 * u["hair_volume"]),
        "hair_length": jnp.where(
            man,
            0.3 * jnp.maximum(u["hair_length"] - 0.8, 0),
            jnp.clip(1.4 * u["hair_length"] - 0.3, 0, 1),
        ),
        "hair_curl": curl,
        "hairline": jnp.where(bald, 0.95, jnp.where(man, 0.5, 0.25) * u["hairline"]),
        "fringe": jnp.where(man | (u["fringe"] < 0.6), 0.0, u["fringe"]),
        "beard": jnp.where(man & (u["beard"] > 0.5), 1.6 * (u["beard"] - 0.5), 0.0),
        "lashes": jnp.clip(0.55 - 0.35 * masculine + 0.3 * chance, 0, 1),
        "cloth_hue": u["cloth_hue"],
        "cloth_chroma": u["cloth_chroma"],
        "cloth_light": u["cloth_light"],
        "neckline": u["neckline"] ** 1.5,
        "pattern": jnp.where(u["pattern"] > 0.6, u["pattern"], 0.0),
    }
    looks["hair_length"] = jnp.where(bald, 0.0, looks["hair_length"])
    # A large head has a long tract; pitch follows the sex far more than the size.
    size = 0.5 * build["jaw_width"] + 0.3 * build["chin_length"]
    voice = {
        "voice_pitch": -0.6 * masculine + 0.3 * normal[-2] - 0.1 * size,
        "voice_tract": -0.5 * masculine - 0.4 * size + 0.2 * normal[-1],
    }
    clipped = {name: jnp.clip(build[name], -1, 1) for name in BUILD}
    clipped |= {name: jnp.clip(voice[name], -1, 1) for name in voice}
    return Identity(**clipped, **{name: jnp.float32(looks[name]) for name in LOOKS})
