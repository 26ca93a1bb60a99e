"""One process makes a run, on file systems with and without locks."""

import errno
import fcntl
import multiprocessing
import os
import signal
import threading
import time

import pytest

from micrographia.errors import UserError
from micrographia.runs.lock import WITHOUT_LOCKS, held

FUTURE = 4_000_000_000  # seconds: a clock that is decades ahead


def refuse(code):
    def flock(descriptor, operation):
        raise OSError(code, os.strerror(code))

    return flock


@pytest.fixture(params=sorted(set(WITHOUT_LOCKS)), ids=errno.errorcode.get)
def without_locks(request, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", refuse(request.param))


def hold_for_ever(file, without):
    if without:
        fcntl.flock = refuse(errno.ENOLCK)
    with held(file, file):
        file.with_name("held").touch()
        time.sleep(1000)


def dead_owner(file, without):
    """Let a process that holds a lock be killed."""
    process = multiprocessing.get_context("spawn").Process(target=hold_for_ever, args=(file, without))
    process.start()
    while not file.with_name("held").exists():
        assert process.is_alive()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def seconds_to_hold(file):
    started = time.monotonic()
    with held(file, file):
        return time.monotonic() - started


def test_a_dead_process_leaves_no_lock(tmp_path):
    file = tmp_path / ".address.lock"
    dead_owner(file, without=False)
    os.utime(file, (FUTURE, FUTURE))
    assert seconds_to_hold(file) < 1


def test_nor_does_it_on_a_file_system_without_locks(tmp_path, monkeypatch):
    file = tmp_path / ".address.lock"
    dead_owner(file, without=True)
    marker = tmp_path / ".address.lock.soft"
    assert marker.exists()
    os.utime(marker, (FUTURE, FUTURE))
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    assert seconds_to_hold(file) < 1
    assert not marker.exists()


def test_without_locks_one_holds_and_others_wait(without_locks, tmp_path, caplog):
    file, order = tmp_path / ".address.lock", []

    def wait():
        with held(file, tmp_path / "run"):
            order.append("second")

    caplog.set_level("INFO", logger="micrographia")
    with held(file, tmp_path / "run"):
        second = threading.Thread(target=wait)
        second.start()
        while "waiting" not in caplog.text:
            time.sleep(0.01)
        assert f"process {os.getpid()} on " in caplog.text
        assert f"delete {file}.soft" in caplog.text
        order.append("first")
    second.join(10)
    assert order == ["first", "second"]


def test_the_marker_of_another_host_is_not_passed_over(tmp_path, monkeypatch, caplog):
    """Nobody here can tell whether its process lives: who holds it is said, and what to delete."""
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    caplog.set_level("INFO", logger="micrographia")
    marker = tmp_path / ".address.lock.soft"
    marker.write_text("1\nnode7\n")
    taken = threading.Event()

    def wait():
        with held(tmp_path / ".address.lock", tmp_path / "run"):
            taken.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not taken.wait(0.5)
    assert "process 1 on node7 is making it" in caplog.text
    marker.unlink()
    assert taken.wait(10)
    waiting.join()


def test_a_folder_that_refuses_is_a_mistake(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", refuse(errno.EIO))
    with pytest.raises(UserError, match=r"run: cannot be written \(Input/output error\). Set how.paths.runs=FOLDER"):
        seconds_to_hold(tmp_path / "run")
