"""What becomes of the jobs of a launcher whose workers die."""

import os

import pytest
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from micrographia.errors import UserError
from micrographia.runs.run import Run
from micrographia.tasks.answers import Answers
from micrographia.tasks.jobs import Job, JobRunner
from micrographia.tasks.launching import AnsweringLauncher, take_device, threads_of_each


class Plugin(Launcher):
    """A launcher that loses the results of all jobs when a worker dies, as joblib's does; two run at once."""

    def __init__(self, answers, deadly=(), starts=True):
        self.answers, self.deadly, self.starts = answers, deadly, starts
        self.launches = []

    def setup(self, **given): ...

    def launch(self, job_overrides, initial_job_idx):
        self.launches.append([overrides[0] for overrides in job_overrides])
        if not self.starts:
            raise ValueError("n_jobs == 0 in Parallel has no meaning\nmore of it")
        results = []
        for place in range(0, len(job_overrides), 2):
            at_once = job_overrides[place : place + 2]
            for job in at_once:
                self.answers.begin(job, f"{job[0]}.log")
            if any(job[0] in self.deadly for job in at_once):
                raise ConnectionError("a worker was unexpectedly terminated\nfor reasons of its own")
            for job in at_once:
                made = [Job(tuple(job), Run(f"runs/train/{job[0]}"))]
                self.answers.give(job, made)
                results.append(JobReturn(status=JobStatus.COMPLETED, _return_value=made))
        return results


class SlurmLauncher(Plugin):
    """One whose jobs die each for itself."""

    def launch(self, job_overrides, initial_job_idx):
        alive = [job for job in job_overrides if job[0] not in self.deadly]
        results = dict(zip(map(tuple, alive), super().launch(alive, initial_job_idx), strict=True))
        for job in job_overrides:
            self.answers.begin(job, f"{job[0]}.log")
        return [results.get(tuple(job), TimeoutError("Job 7 timed out")) for job in job_overrides]


def launched(answers, plugin, jobs):
    launcher = AnsweringLauncher(plugin, {"_target_": "Plugin"}, JobRunner("train", True), answers)
    return [result.return_value[0] for result in launcher.launch([[job] for job in jobs], 10)]


@pytest.fixture
def answers(tmp_path):
    return Answers(tmp_path / "answers")


def test_a_death_costs_no_finished_job_and_the_others_go_on(answers):
    plugin = Plugin(answers, deadly=["seed=3"])
    jobs = launched(answers, plugin, [f"seed={seed}" for seed in range(7)])
    assert plugin.launches == [
        [f"seed={seed}" for seed in range(7)],
        ["seed=2"],  # cut short by the death of its neighbour
        ["seed=3"],  # at fault: it dies alone, too
        ["seed=4", "seed=5", "seed=6"],
    ]
    assert [job.overrides for job in jobs] == [(f"seed={seed}",) for seed in range(7)]
    assert [job.overrides for job in jobs if not job.run] == [("seed=3",)]
    assert jobs[3].mistake.startswith("its worker died")
    assert jobs[3].mistake.endswith("ConnectionError: a worker was unexpectedly terminated")
    assert jobs[3].log.name == "seed=3.log"


def test_the_same_holds_where_every_second_job_is_deadly(answers):
    deadly = [f"seed={seed}" for seed in range(1, 8, 2)]
    jobs = launched(answers, Plugin(answers, deadly), [f"seed={seed}" for seed in range(8)])
    assert [bool(job.run) for job in jobs] == [True, False] * 4


def test_a_launcher_that_starts_nothing_is_a_mistake(answers):
    with pytest.raises(
        UserError, match=r"no job could be started. ValueError: n_jobs == 0 in Parallel has no meaning$"
    ):
        launched(answers, Plugin(answers, starts=False), ["seed=0", "seed=1"])


def test_a_launcher_that_starts_no_more_is_not_asked_for_ever(answers):
    class Expiring(Plugin):
        def launch(self, job_overrides, initial_job_idx):
            self.starts = len(self.launches) < 2
            return super().launch(job_overrides, initial_job_idx)

    jobs = launched(answers, Expiring(answers, deadly=["seed=1"]), [f"seed={seed}" for seed in range(4)])
    assert [bool(job.run) for job in jobs] == [True, False, False, False]
    assert [job.mistake.partition(".")[0] for job in jobs[2:]] == ["not started"] * 2


def test_submitted_jobs_that_die_are_not_submitted_again(answers):
    plugin = SlurmLauncher(answers, deadly=["seed=1"])
    jobs = launched(answers, plugin, ["seed=0", "seed=1", "seed=2"])
    assert len(plugin.launches) == 1
    assert [bool(job.run) for job in jobs] == [True, False, True]
    assert "TimeoutError: Job 7 timed out" in jobs[1].mistake


def test_answers_outlive_the_process_and_a_full_disk(answers, monkeypatch):
    answers.begin(["seed=0", "model.beta=4"], "a.log")
    assert str(answers.log(["model.beta=4", "seed=0"])) == "a.log"
    assert answers.of(["seed=0", "model.beta=4"]) is None
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda path, content: (_ for _ in ()).throw(OSError(28, "full")))
    answers.give(["seed=0", "model.beta=4"], [1])
    assert answers.of(["seed=0", "model.beta=4"]) is None
    answers.remove()
    assert not answers.folder.exists()


@pytest.mark.parametrize(
    ("launcher", "jobs", "threads"),
    [
        ({"_target_": "a.JoblibLauncher", "n_jobs": 4}, 100, 4),
        ({"_target_": "a.JoblibLauncher", "n_jobs": -1}, 100, 1),
        ({"_target_": "a.JoblibLauncher", "n_jobs": -1}, 2, 8),
        ({"_target_": "a.JoblibLauncher", "n_jobs": 40}, 100, 1),
        ({"_target_": "a.LocalLauncher", "cpus_per_task": None}, 4, 4),
        ({"_target_": "a.LocalLauncher", "cpus_per_task": 3}, 4, 3),
        ({"_target_": "a.SlurmLauncher", "cpus_per_task": None}, 4, None),
        ({"_target_": "a.RayLauncher"}, 4, None),
    ],
)
def test_jobs_share_the_cores(launcher, jobs, threads, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("micrographia.tasks.launching.cpu_count", lambda: 16)
    monkeypatch.setattr("micrographia.tasks.launching.effective_n_jobs", lambda n: 16 if n == -1 else n)
    assert threads_of_each(launcher, jobs) == threads


def test_threads_that_the_environment_names_are_kept(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads_of_each({"_target_": "a.JoblibLauncher", "n_jobs": 1}, 4) is None


@pytest.mark.parametrize(
    ("visible", "taken"), [(None, ["0", "1", "0"]), ("5,7", ["5", "7", "5"]), ("3", ["3"] * 3), ("", [""] * 3)]
)
def test_processes_take_turns_at_the_gpus(visible, taken, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    processes, found = [], []
    for _ in range(3):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        processes.append([])
        monkeypatch.setattr("micrographia.tasks.launching.held_devices", processes[-1])
        take_device(tmp_path)
        found.append(os.environ["CUDA_VISIBLE_DEVICES"])
        take_device(tmp_path)  # a second job in the same process keeps its device
        assert os.environ["CUDA_VISIBLE_DEVICES"] == found[-1]
    assert found == taken
