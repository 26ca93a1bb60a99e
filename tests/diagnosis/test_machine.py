import os
import socket
from pathlib import Path

import pytest
from filelock import FileLock

from micrographia.diagnosis import machine, storage
from micrographia.diagnosis.machine import cores, memory, memory_finding, shared_memory_finding, thread_findings
from micrographia.diagnosis.settings import config_findings, data_findings, wandb_finding
from micrographia.diagnosis.storage import folder_finding, lock_finding, storage_findings


@pytest.fixture
def control_groups(tmp_path, monkeypatch):
    """Let this process be in a control group with limits, below one with others."""

    def write(**files):
        group = tmp_path / "cgroup" / "job" / "step"
        group.mkdir(parents=True)
        for name, content in files.items():
            place = group if name.startswith("own_") else group.parent
            (place / name.removeprefix("own_").replace("_", ".", 1)).write_text(content)
        own = tmp_path / "self"
        own.write_text("0::/job/step\n")
        meminfo = tmp_path / "meminfo"
        meminfo.write_text("MemTotal: 67108864 kB\nMemFree: 1 kB\nMemAvailable: 33554432 kB\n")
        monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
        monkeypatch.setattr(machine, "OWN_GROUP", own)
        monkeypatch.setattr(machine, "MEMORY", meminfo)
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)

    return write


def test_cores_are_what_affinity_and_all_groups_leave(control_groups):
    control_groups(own_cpu_max="max 100000", cpu_max="400000 100000")
    assert cores() == 4


def test_part_of_a_core_is_one(control_groups):
    control_groups(own_cpu_max="50000 100000")
    assert cores() == 1


def test_without_limits_the_affinity_counts(control_groups):
    control_groups()
    assert cores() == 16
    assert memory() == (64 * 2**30, 32 * 2**30)


def test_memory_is_the_least_that_any_group_leaves(control_groups):
    control_groups(own_memory_max="max", memory_max=str(8 * 2**30), memory_current=str(6 * 2**30))
    assert memory() == (8 * 2**30, 2 * 2**30)
    found = memory_finding()
    assert found.value == "8.0 GiB for this process, 2.0 GiB free"
    assert found.mark == "warning"


def test_more_threads_than_cores_are_told(control_groups, monkeypatch):
    control_groups(cpu_max="200000 100000")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    environment, threads = thread_findings({"threads": None}, 8)
    assert environment.value.startswith("OMP_NUM_THREADS=8")
    assert (threads.mark, threads.value) == ("warning", "null: torch takes 8, its own choice, for 2 cores")
    assert "how.threads=2" in threads.advice
    assert [finding.mark for finding in thread_findings({"threads": 2}, 8)] == ["ok", "ok"]
    assert [finding.mark for finding in thread_findings({"threads": 1}, 8)] == ["ok", "note"]


def test_little_shared_memory_matters_to_workers(monkeypatch):
    class Status:
        f_bavail, f_frsize = 64, 2**20

    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(Path, "is_dir", lambda path: True)
    monkeypatch.setattr(os, "statvfs", lambda place: Status)
    assert shared_memory_finding(0).mark == "note"
    found = shared_memory_finding(4)
    assert found.mark == "warning"
    assert found.value == "64 MiB free in /dev/shm, for how.workers=4"
    assert "--shm-size" in found.advice


def test_locks_work_here_and_leave_nothing(tmp_path):
    assert lock_finding(tmp_path).mark == "ok"
    assert list(tmp_path.iterdir()) == []


def test_locks_that_do_not_exclude_each_other_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(FileLock, "acquire", lambda self, **options: None)
    assert lock_finding(tmp_path).mark == "warning"


def test_locks_that_do_not_answer_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "PATIENCE", 0.01)
    monkeypatch.setattr(storage, "locked", lambda folder: __import__("time").sleep(1))
    assert lock_finding(tmp_path).mark == "broken"


def test_a_folder_is_not_made_by_looking_at_it(tmp_path):
    paths = {name: str(tmp_path / name) for name in ("runs", "data", "cache")}
    found = list(storage_findings(paths))
    assert [finding.mark for finding in found] == ["ok"] * 4
    assert "not there yet" in found[0].value
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *given: False)
    found = folder_finding("cache", tmp_path)
    assert found.mark == "broken"
    assert "MICROGRAPHIA_CACHE" in found.advice
    assert folder_finding("data", tmp_path).mark == "ok"  # nothing is written there


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 2**20}))
    assert folder_finding("runs", tmp_path).mark == "warning"


def test_public_sets_that_are_there_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROGRAPHIA_DATA", str(tmp_path))
    assert [finding.mark for finding in data_findings({"data": str(tmp_path)})] == ["note"]
    (tmp_path / "yeast" / "vacuoles").mkdir(parents=True)
    (tmp_path / "yeast" / "vacuoles" / "one.png").touch()
    (found,) = data_findings({"data": str(tmp_path)})
    assert (found.mark, found.value.endswith("yeast/vacuoles")) == ("ok", True)


def test_wandb_is_judged_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *given: pytest.fail("asks the network"))
    monkeypatch.setattr("micrographia.diagnosis.settings.installed_version", lambda name: "0.31")
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert wandb_finding().mark == "note"
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret\n")
    assert wandb_finding().value.startswith("logged in (an entry")
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert wandb_finding().mark == "note"
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    assert wandb_finding().value == "logged in at wandb.example.org (WANDB_API_KEY is set; not tried)"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert "works offline" in wandb_finding().value


def test_own_folders_are_looked_into(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MICROGRAPHIA_CONF", raising=False)
    assert [finding.name for finding in config_findings()] == ["shipped configs", "own configs"]
    folder = tmp_path / "micrographia_conf"
    for name in ("optimizer/adam", "optimizer/one", "experiment/lab/two", "experiments/three"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text("lr: 1\n")
    (folder / "four.py").touch()
    _, held, shadow = config_findings()
    assert held.value.endswith("micrographia_conf: 2 choices, 1 preset, 1 study, 1 module")
    assert shadow.mark == "note"
    (folder / "optimizer" / "one.yaml").write_text("lr: [1")
    assert [finding.mark for finding in config_findings()] == ["ok", "ok", "warning", "note"]
    (folder / "train.yaml").write_text("seed: 1")
    assert [finding.mark for finding in config_findings()] == ["broken"]
