"""EmoStyle's mapping: parity with the original in W+ and in W, what is refused."""

import numpy as np
import pytest

from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "emo_mapping"


def test_displacements_in_wplus_are_the_originals():
    data = golden.data(NAME)
    skip = ["delta_w_variant"]
    golden.parity(NAME, data["in.latent"], data["in.valence_arousal"], skip=skip)


def test_displacements_in_w_are_the_originals():
    data = golden.data(NAME)
    skip = ["delta_wplus", "edited_latent", "mid.emotion_features"]
    latent = data["in.latent"][:, 0]
    fields = ("keys_w_variant",)
    golden.parity(NAME, latent, data["in.valence_arousal"], fields=fields, skip=skip)


def test_codes_and_emotions_that_do_not_pair_are_refused():
    network = golden.expert(NAME, "keys_w_variant")
    with pytest.raises(CheckpointError, match="valence_arousal"):
        network.apply(network.params, np.zeros((2, 512)), np.zeros((3, 2)))
    with pytest.raises(CheckpointError, match="latent"):
        network.apply(network.params, np.zeros((2, 18, 512)), np.zeros((2, 2)))
