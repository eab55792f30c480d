from tests.training import small


def test_phases_follow_each_other():
    stage = small.face_stage()
    assert stage.steps == 12
    assert [stage.phase(step).name for step in (0, 3, 4, 11)] == ["still"] * 2 + ["moving"] * 2
