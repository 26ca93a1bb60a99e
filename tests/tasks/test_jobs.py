"""What a job does in a process that is not the command's."""

import pickle
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from micrographia.tasks.answers import Answers
from micrographia.tasks.jobs import Job, JobRunner


@pytest.fixture
def config(monkeypatch):
    hydra = OmegaConf.create({"overrides": {"task": ["seed=1"]}})
    monkeypatch.setattr(HydraConfig, "get", staticmethod(lambda: hydra))
    return OmegaConf.create({"seed": 1, "how": {"paths": {"runs": "runs"}}})


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The runner of a command that was given in ``desk``, as another process reads it."""
    desk = tmp_path / "desk"
    desk.mkdir()
    monkeypatch.chdir(desk)
    runner = JobRunner("train", True, answers=Answers(tmp_path / "answers"), threads=3, process="another")
    monkeypatch.chdir(tmp_path)
    return pickle.loads(pickle.dumps(runner))


def test_a_job_elsewhere_works_in_the_commands_folder_and_prints_nothing_on_stdout(
    elsewhere, config, monkeypatch, tmp_path, capsys
):
    def jobs_of(runner, config, overrides):
        print("what a library prints")
        return [Job(overrides, mistake=f"in {Path.cwd().name}")]

    monkeypatch.setattr(JobRunner, "jobs_of", jobs_of)
    (job,) = elsewhere(config)
    assert job.mistake == "in desk"
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "what a library prints" in shown.err
    assert (tmp_path / "desk" / job.log).exists()
    assert elsewhere.answers.of(["seed=1"]) == [job]
    assert elsewhere.answers.log(["seed=1"]) == job.log


@pytest.mark.parametrize("terminal", [True, False])
def test_a_job_elsewhere_takes_its_share_of_threads_and_shows_no_bar(elsewhere, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    how = {"threads": None, "progress": True}
    assert elsewhere.with_share(how) == {"threads": 3, "progress": not terminal}
    assert elsewhere.with_share({**how, "progress": False})["progress"] is False
    assert elsewhere.with_share({**how, "threads": 2})["threads"] == 2
    assert JobRunner("train", True, threads=3).with_share(how) == how


def test_a_bug_is_raised_where_no_sweep_is_at_stake(config, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def fail(runner, config, overrides):
        raise RuntimeError("a bug")

    monkeypatch.setattr(JobRunner, "jobs_of", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        JobRunner("train", sweeping=False)(config)
    (job,) = JobRunner("train", sweeping=True)(config)
    assert job.mistake == "RuntimeError: a bug"
