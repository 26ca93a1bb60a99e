"""Sweeps in processes of their own: Hydra's launchers, whatever becomes of a job or of its worker.

No monkeypatch reaches the processes of a launcher: they read this file's own ``train``, of no time, whose seed says
what befalls it.
"""

import errno
import importlib.util
import logging
import os
import re
import signal
import time
import warnings
from pathlib import Path

import pandas as pd
import pytest

from micrographia.errors import UserError
from micrographia.runs.run import Run, obtain

SOURCES = Path(__file__).parents[2] / "src"
REFUSED, BUG, FULL_DISK, DEADLY, DEADLY_ONCE = range(104, 109)  # seeds


def with_plugin(name, *overrides, marks=()):
    """Overrides that choose a launcher, where its plugin is installed."""
    missing = importlib.util.find_spec("hydra_plugins") is None or not importlib.util.find_spec(f"hydra_plugins.{name}")
    needed = pytest.mark.skipif(missing, reason="needs a plugin of Hydra's")
    return pytest.param(overrides, id=name, marks=[needed, *marks])


JOBLIB = with_plugin("hydra_joblib_launcher", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
SUBMITIT = with_plugin("hydra_submitit_launcher", "hydra/launcher=submitit_local", marks=[pytest.mark.slow])


def train(what, how, rerun=False):
    return obtain(what, how, carry_over, rerun)


def carry_over(what, how, run):
    obtain({"task": "train", "name": "source"}, how, learn)
    seed, threads = what["seed"], how["threads"]
    with (run.folder / "attempts").open("a") as file:
        file.write(f"{threads}\n")
    print("what a library prints")
    warnings.warn("what a library warns of", stacklevel=1)
    logging.getLogger("library").warning("what a library logs")
    if seed == REFUSED:
        raise UserError("seed: refused by the test.")
    if seed == BUG:
        raise RuntimeError("a bug")
    if seed == FULL_DISK:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "last.ckpt")
    if seed == DEADLY or (seed == DEADLY_ONCE and len(attempts(run)) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return {"score/mig": seed / 10}


def learn(what, how, run):
    with (run.folder / "attempts").open("a") as file:
        file.write("once\n")
    time.sleep(2)
    return {"score/mig": 1.0}


def attempts(run):
    return (run.folder / "attempts").read_text().split()


@pytest.fixture
def sweep(terminal, tmp_path):
    """Sweep over seeds by a launcher: exit status, stdout's lines, stderr."""
    patch = "from micrographia.verbs import VERBS\nVERBS['train'] = ('test_launchers:train', '')\n"
    (tmp_path / "sitecustomize.py").write_text(patch)
    path = os.pathsep.join(map(str, (tmp_path, Path(__file__).parent, SOURCES)))
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}

    def run(launcher, *seeds):
        given = ("train", "-m", f"seed={','.join(map(str, seeds))}", *launcher)
        status, out, err = terminal.run(*given, env={**environment, "PYTHONPATH": path})
        return status, out.splitlines(), err

    return run


def seeds_of(desk, folders):
    return [Run(desk / folder).config["seed"] for folder in folders]


def log_of(desk, seed):
    (log,) = (desk / "runs" / "sweeps" / "logs").glob(f"train-seed={seed}-*.log")
    return log.read_text()


@pytest.mark.parametrize("launcher", [JOBLIB, SUBMITIT])
def test_jobs_that_fail_leave_the_others_alone(launcher, desk, sweep):
    status, out, err = sweep(launcher, 0, REFUSED, BUG, FULL_DISK, 1)
    assert status == 2
    assert seeds_of(desk, out) == [0, 1]  # in the sweep's order, each once, and nothing else
    assert "micrographia: 5 jobs: 2 done, 3 failed" in err.splitlines()
    named = re.findall(r"^micrographia: failed: seed=(\d+): .* \(log: (.*)\)$", err, re.M)
    assert [int(seed) for seed, _ in named] == [REFUSED, BUG, FULL_DISK]
    assert all((desk / log).exists() for _, log in named)
    assert "Traceback" not in err
    assert log_of(desk, REFUSED).rstrip().endswith("failed: seed: refused by the test.")
    assert log_of(desk, BUG).rstrip().endswith("RuntimeError: a bug")
    assert "Traceback" in log_of(desk, BUG)
    assert "No space left on device. Finished runs are kept" in log_of(desk, FULL_DISK)
    assert all(share.isdigit() for folder in out for share in attempts(Run(desk / folder)))  # how.threads
    kept = log_of(desk, 0)
    assert all(text in kept for text in ("starting", "what a library warns of", "what a library logs"))
    (source,) = (desk / "runs" / "train").glob("source-*")
    assert attempts(Run(source)) == ["once"]  # all jobs wanted it at the same time
    assert pd.read_csv(next((desk / "runs" / "sweeps").glob("*.csv")))["runs"].tolist() == [2]
    assert not list(desk.glob("runs/.sweeps/*/*.answer"))

    again = sweep(launcher, 0, REFUSED, 1)
    assert again[:2] == (2, out)
    assert "micrographia: 3 jobs: 2 found finished, 1 failed" in again[2].splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [JOBLIB])
def test_a_worker_that_dies_takes_its_own_job_with_it(launcher, desk, sweep):
    status, out, err = sweep(launcher, 0, DEADLY, 1, DEADLY_ONCE, 2)
    assert status == 2
    assert seeds_of(desk, out) == [0, 1, DEADLY_ONCE, 2]
    assert "micrographia: 5 jobs: 4 done, 1 failed" in err.splitlines()
    assert re.search(rf"^micrographia: failed: seed={DEADLY}: its worker died.* \(log: .*\)$", err, re.M)
    finished = [Run(desk / folder) for folder in out]
    assert all(len(attempts(run)) <= 2 for run in finished)
    status, again, err = sweep(launcher, 0, 1, DEADLY_ONCE, 2)
    assert (status, again) == (0, out)
    assert "micrographia: 4 jobs: 4 found finished" in err.splitlines()


@pytest.mark.parametrize("launcher", [SUBMITIT])
def test_a_submitted_job_that_dies_is_one_of_those_that_failed(launcher, desk, sweep):
    status, out, err = sweep(launcher, DEADLY, 0)
    assert status == 2
    assert seeds_of(desk, out) == [0]
    assert "micrographia: 2 jobs: 1 done, 1 failed" in err.splitlines()
    assert "its worker died" in err
    assert (desk / "runs" / ".sweeps" / ".submitit").is_dir()
