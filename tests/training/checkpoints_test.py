import json
import resource
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.training import checkpoints, growth, record
from emojax.training import state as states
from emojax.training.checkpoints import Place
from tests.training import small

FACTS = {"data": "clip", "seed": 0}


def _state(head, stage, step):
    state = states.begin(jax.random.key(7), head, stage)
    return state.replace(step=jnp.int32(step))


@pytest.fixture(scope="module")
def run(head, tmp_path_factory):
    run, recipe = tmp_path_factory.mktemp("run"), small.recipe()
    record.write(run, recipe, FACTS)
    mouth, face, _ = recipe.stages
    for step in (2, 4):
        checkpoints.save(run, recipe, "mouth", _state(head, mouth, step))
    for step in (2, 4, 6):
        state = growth.enlarge(_state(head, face, step), "face", face.density)
        checkpoints.save(run, recipe, "face", state)
    return run


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copy")


def test_the_latest_come_first_and_old_ones_go(run):
    expected = [Place("face", 6), Place("face", 4), Place("mouth", 4), Place("mouth", 2)]
    assert checkpoints.places(run, small.recipe()) == expected


def test_a_state_comes_back_to_the_bit_whatever_its_capacity(run, head):
    face = small.recipe().stages[1]
    saved = growth.enlarge(_state(head, face, 6), "face", face.density)
    loaded = checkpoints.load(run, small.recipe(), Place("face", 6))
    assert jax.tree.structure(loaded) == jax.tree.structure(saved)
    np.testing.assert_array_equal(jax.random.key_data(loaded.key), jax.random.key_data(saved.key))
    a, b = (jax.tree.leaves(s.replace(key=None)) for s in (saved, loaded))
    for x, y in zip(a, b, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


def test_a_run_is_its_last_head(run):
    loaded = checkpoints.load_run(run)
    assert loaded.place == Place("face", 6)
    assert loaded.size == small.SIZE
    assert loaded.features == "mel"
    assert loaded.clip_folder.name == "clip"
    about = loaded.provenance
    assert about.run == record.fingerprint(small.recipe(), FACTS)
    assert (about.recipe, about.trained_to, about.mark) == ("small", "face 6", None)


def test_a_damaged_checkpoint_names_itself_and_the_way_out(copy):
    folder = copy / "checkpoints" / "face" / "6" / "state"
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with pytest.raises(DataError, match=r"face/6.*Remove the folder checkpoints/face/6") as caught:
        checkpoints.load_run(copy)
    assert "TensorStore details" not in str(caught.value)
    assert "<bound method" not in str(caught.value)
    shutil.rmtree(copy / "checkpoints" / "face" / "6")
    assert checkpoints.load_run(copy).place == Place("face", 4)


def test_folders_without_a_run_are_refused(tmp_path, copy):
    with pytest.raises(DataError, match=r"a run with config\.json"):
        checkpoints.load_run(tmp_path)
    shutil.rmtree(copy / "checkpoints")
    with pytest.raises(DataError, match="a checkpoint"):
        checkpoints.load_run(copy)


def test_a_config_that_is_not_the_checkpoints_own_is_named_and_they_stay(copy):
    path = copy / record.CONFIG
    other = json.loads(path.read_text())
    other["head"]["audio_gain"] = 7.0  # of the same shapes
    path.write_text(json.dumps(other))
    with pytest.raises(DataError, match=r"another than that of face/6.*Put this run's own config"):
        checkpoints.load_run(copy)
    with pytest.raises(DataError, match="not damaged"):
        checkpoints.load(copy, record.read(copy)[0], Place("face", 6))
    for stage in other["stages"]:
        stage["name"] = f"other_{stage['name']}"  # no checkpoint is of a stage of this recipe
    path.write_text(json.dumps(other))
    with pytest.raises(DataError, match="not damaged"):
        checkpoints.load_run(copy)


def test_a_run_that_is_not_finished_says_so(copy, head):
    assert "step 6 of stage face" in checkpoints.load_run(copy).notes[0]
    fuse = small.recipe().stages[-1]
    checkpoints.save(copy, small.recipe(), "fuse", _state(head, fuse, fuse.steps))
    assert checkpoints.load_run(copy).notes == ()


def test_no_room_is_one_clear_error_and_the_checkpoints_stay(copy, head, capfd):
    state = _state(head, small.recipe().stages[1], 8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # as a disk that is full
    try:
        with pytest.raises(DataError, match=r"a place to save checkpoints.*--resume"):
            checkpoints.save(copy, small.recipe(), "face", state)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "Traceback" not in capfd.readouterr().err
    assert {p.name for p in (copy / "checkpoints" / "face").iterdir()} == {"4", "6"}
    assert checkpoints.load_run(copy).place == Place("face", 6)
