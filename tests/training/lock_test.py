import os
import signal
import subprocess
import sys

import pytest

from emojax.data.errors import DataError
from emojax.training import lock

HOLDER = """
import pathlib, sys, time
from emojax.training import lock
with lock.hold(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_held_run_refuses_a_second_process_until_the_first_is_dead(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DataError, match=f"another process that is training.* {holder.pid} on"):
            lock.refuse_second(tmp_path)
        with (
            pytest.raises(DataError, match=f"another process that is training.* {holder.pid} on"),
            lock.hold(tmp_path),
        ):
            pass
        os.kill(holder.pid, signal.SIGKILL)
    assert (tmp_path / lock.FILE).exists()  # a killed process leaves it
    lock.refuse_second(tmp_path)
    with lock.hold(tmp_path):
        assert (tmp_path / lock.FILE).read_text().startswith(f"{os.getpid()} on ")


def test_nothing_stays_of_a_lock_that_was_given_back(tmp_path):
    run = tmp_path / "runs" / "new"
    with pytest.raises(KeyboardInterrupt), lock.hold(run):
        raise KeyboardInterrupt
    assert list(run.iterdir()) == []
    lock.refuse_second(run)
    lock.refuse_second(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_a_place_without_room_for_a_run_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file"), lock.hold(tmp_path / "file" / "run"):
        pass
