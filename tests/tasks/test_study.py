"""`micrographia study` with a recipe that takes no time: killed, gone on with, failing, asked for first."""

import json
import os
from importlib.util import find_spec

import pandas as pd
import pytest
import yaml

from micrographia.cli import main
from micrographia.errors import UserError
from micrographia.runs.grouping import GROUP_VARIABLE, TAGS_VARIABLE

needs_wandb = pytest.mark.skipif(find_spec("wandb") is None, reason="wandb is not installed")

CONTENT = {
    "question": "Does beta matter?",
    "source": "micrographia",
    "sweeps": {"vaes": {"verb": "train", "overrides": ["budget.steps=1", "model.beta=1,4", "seed=0,1,2"]}},
    "budgets": {"smoke": {"about": 6}, "paper": {"vaes": ["seed=range(0,150)"]}},
    "result": [
        {
            "table": "score",
            "metrics": {"OMES": "score/omes"},
            "rows": ["beta"],
            "compare": {"across": "beta", "reference": 1, "pair": ["seed"]},
        },
        {"figure": "omes", "kind": "lines", "metrics": "score/omes", "x": "beta"},
    ],
}


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with a study's file, in which this process is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(CONTENT, sort_keys=False))
    return tmp_path


@pytest.fixture
def made(monkeypatch):
    """Trainings that are made in no time, as (beta, seed); a function among ``troubles`` is called before each."""
    done, troubles = [], []

    def train_model(what, how, run):
        place = (what["model"]["beta"], what["seed"])
        for trouble in troubles:
            trouble(*place)
        done.append(place)
        return {"score/omes": what["model"]["beta"] / 10 + what["seed"] / 100}

    monkeypatch.setattr("micrographia.tasks.train.train_model", train_model)
    return done, troubles


@pytest.fixture
def study(desk, capsys):
    """Give the command: exit status, stdout's lines, stderr in one line."""

    def give(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(["study", *(arguments or ("own.yaml",)), "how.progress=false"])
        shown = capsys.readouterr()
        return stopped.value.code, shown.out.splitlines(), " ".join(shown.err.split())

    return give


def state(desk, name="own-smoke"):
    return json.loads((desk / "runs" / "studies" / name / "study.json").read_text())


def test_every_job_is_made_and_becomes_the_result(desk, study, made):
    status, out, err = study()
    assert status == 0, err
    assert out[-1] == "runs/studies/own-smoke"
    assert len(set(out)) == 7
    table = pd.read_csv(desk / out[-1] / "score.csv")
    assert table["beta"].tolist() == [1, 4]
    assert table["mean"].tolist() == pytest.approx([0.11, 0.41])
    assert table["n"].tolist() == [3, 3]
    tests = pd.read_csv(desk / out[-1] / "score_tests.csv")
    assert (tests["pairs"].item(), tests["difference"].item()) == (3, pytest.approx(0.3))
    assert (desk / out[-1] / "omes.pdf").exists()
    jobs = state(desk)["jobs"]
    assert [job["status"] for job in jobs] == ["done"] * 6
    assert all((desk / job["run"] / "result.json").exists() for job in jobs)
    assert "study own, sweep vaes: job 1 of 6" in err


def test_what_is_done_is_not_launched_again(desk, study, made, monkeypatch):
    study()
    monkeypatch.setattr("micrographia.tasks.study_jobs.run_jobs", lambda *given, **options: pytest.fail("launched"))
    status, out, err = study()
    assert (status, out) == (0, ["runs/studies/own-smoke"])
    assert "all 6 jobs are done" in err


def test_after_an_interruption_the_rest_is_made(desk, study, made):
    done, troubles = made

    def stop(beta, seed):
        if (beta, seed) == (4, 0):
            raise KeyboardInterrupt

    troubles.append(stop)
    status, _, err = study()
    assert status == 130, err
    assert [job["status"] for job in state(desk)["jobs"]] == ["done"] * 3 + ["to do"] * 3
    troubles.clear()
    status, _, err = study()
    assert status == 0
    assert "job 4 of 6" in err
    assert done == [(beta, seed) for beta in (1, 4) for seed in range(3)]
    logs = [file.name.rpartition("-")[0] for file in sorted((desk / "runs" / "sweeps" / "logs").iterdir())]
    assert logs == [f"train-model.beta={beta}-seed={seed}" for beta in (1, 4) for seed in range(3)]


def test_failing_jobs_are_told_of_and_leave_the_others(desk, study, made):
    done, troubles = made

    def refuse(beta, seed):
        if seed == 1:
            raise UserError("seed=1: refused by the test.") if beta == 1 else RuntimeError("a bug")

    troubles.append(refuse)
    status, out, err = study()
    assert status == 2
    assert out[-1] == "runs/studies/own-smoke"
    assert len(done) == 4
    failed = [job for job in state(desk)["jobs"] if job["status"] == "failed"]
    assert [job["overrides"][1:] for job in failed] == [
        ["model.beta=1", "seed=1", "how.progress=False"],
        ["model.beta=4", "seed=1", "how.progress=False"],
    ]
    assert failed[0]["mistake"] == "seed=1: refused by the test."
    assert "seed=1: refused by the test." in (desk / failed[0]["log"]).read_text()
    logs = sorted((desk / out[-1] / "failed").iterdir())
    assert len(logs) == 2
    assert "RuntimeError: a bug" in logs[1].read_text()
    assert str(logs[1].relative_to(desk)) in err
    assert f"log: {failed[1]['log']}" in logs[1].read_text()
    assert "2 of 6 jobs failed and are missing here." in (desk / out[-1] / "score.md").read_text()

    troubles.clear()
    assert study()[0] == 0
    assert len(done) == 6
    assert not list((desk / out[-1] / "failed").iterdir())
    assert "failed" not in (desk / out[-1] / "score.md").read_text()


def test_another_study_of_the_same_name_is_left_alone(desk, study, made):
    study()
    (desk / "there").mkdir()
    (desk / "own.yaml").rename(desk / "there" / "own.yaml")
    assert study("there/own.yaml")[0] == 0  # it was moved
    (desk / "own.yaml").write_text((desk / "there" / "own.yaml").read_text())
    status, _, err = study()
    assert status == 2
    assert "own.yaml: runs/studies/own-smoke holds the result of" in err
    assert "there/own.yaml, which has the same name" in err


@needs_wandb
def test_wandb_shows_the_result_beside_its_runs(desk, study, made, wandb_records):
    folder = desk / "runs" / "studies" / "own-smoke"
    for _ in range(2):  # a result that has not changed makes no second W&B run
        assert study("own.yaml", "logger=wandb", "how.logger.tags=[mine]")[0] == 0
    (records,) = wandb_records(folder)
    start = next(content for kind, content in records if kind == "run")
    assert (start["job_type"], start["run_group"], start["tags"]) == ("study", "own-smoke", ["mine"])
    text = json.dumps(records)
    for name in ("table/score", "table/score_tests", "figure/score", "figure/omes"):
        assert name in text
    assert "Does beta matter?" in text


def test_jobs_are_grouped_and_tagged_for_loggers(desk, study, made):
    told = []
    made[1].append(lambda *place: told.append({name: os.environ.get(name) for name in (GROUP_VARIABLE, TAGS_VARIABLE)}))
    study("own.yaml", "seed=0")
    assert told == [{GROUP_VARIABLE: "own-smoke", TAGS_VARIABLE: "own,vaes"}] * 2
    assert GROUP_VARIABLE not in os.environ


def test_a_dry_run_makes_nothing(desk, study, made):
    status, out, err = study("own.yaml", "--dry-run")
    assert status == 0
    assert [line.split()[:3] for line in out[:-1]] == [["to", "do", "vaes"]] * 6
    assert "0 of 6 jobs done, about 6 min left" in err
    assert not made[0]
    assert not (desk / "runs" / "studies").exists()
    study("own.yaml", "seed=0")
    status, out, err = study("own.yaml", "--dry-run")
    assert [line.split()[0] for line in out[:-1]] == ["done", "to", "to", "done", "to", "to"]
    assert "2 of 6 jobs done" in err


def test_many_jobs_are_asked_for(desk, study, made, monkeypatch):
    status, out, err = study("own.yaml", "budget=paper")
    assert (status, out) == (2, [])
    assert "own budget=paper: 300 jobs (vaes 300), more than 200." in err
    assert "--yes" in err
    monkeypatch.setattr("micrographia.tasks.study.MANY", 1)
    assert study("own.yaml")[0] == 2
    assert study("own.yaml", "--yes")[0] == 0
    assert len(made[0]) == 6


def test_an_unknown_launcher_is_a_mistake_of_the_command(desk, study, made):
    status, _, err = study("own.yaml", "hydra/launcher=jobli")
    assert status == 2
    assert "hydra/launcher=jobli: no such choice" in err
    jobs = state(desk)["jobs"]
    assert {job["status"] for job in jobs} == {"failed"}
    assert all(job["mistake"].startswith("hydra/launcher=jobli: no such choice") for job in jobs)


def test_other_jobs_by_the_command_line_have_a_folder_of_their_own(desk, study, made):
    status, out, _ = study("own.yaml", "seed=7", "how.log_every=10")
    assert status == 0
    assert out[-1].startswith("runs/studies/own-smoke-")
    assert study("own.yaml", "seed=7")[1][-1] == out[-1]
    assert study("own.yaml", "how.paths.runs=elsewhere")[1][-1] == "elsewhere/studies/own-smoke"


def test_evaluations_follow_what_they_evaluate(desk, study, made, monkeypatch):
    content = json.loads(json.dumps(CONTENT))
    content["sweeps"]["scored"] = {"verb": "evaluate", "of": "vaes", "overrides": ["samples=10"]}
    content["result"] = [{"table": "score", "metrics": "score/mig", "rows": ["beta"]}]
    (desk / "own.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    def described(what, how, scored):
        return {**what, "name": "x", "run": "stands-for-it", "latents": scored.folder.name, "only": ["mig"]}

    for place in ("tasks.evaluated", "tasks.evaluate"):
        monkeypatch.setattr(f"micrographia.{place}.described", described)
    monkeypatch.setattr("micrographia.runs.address.weights_of", lambda run, key="": desk / "own.yaml")
    monkeypatch.setattr("micrographia.tasks.evaluate.score_run", lambda what, how, run: {"score/mig": 0.5})
    monkeypatch.setattr("micrographia.tasks.evaluate.scores_table", lambda *given: None)
    monkeypatch.setattr("micrographia.runs.run.Run.table", lambda run, name: None)
    status, out, err = study()
    assert status == 0, err
    assert [job["status"] for job in state(desk)["jobs"]] == ["done"] * 12
    assert pd.read_csv(desk / out[-1] / "score.csv")["n"].tolist() == [3, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rls_ablatoin",), "no such study"),
        (("own.yaml", "budget=large"), "budget=large: own has no such budget"),
        (("own.yaml", "--dry"), "--dry: study takes --dry-run and --yes"),
        (("own.yaml", "sede=1"), "sweep vaes: sede: no such key"),
        (("own.yaml", "model=vae"), "sweep vaes: model=vae: no such choice"),
        (("own.yaml", "experiment=rls/demo"), "sweep vaes: experiment=rls/demo is a preset of superresolve"),
        (("own.yaml", "seed=low"), "sweep vaes: seed=low: expected a whole number"),
        (("own.yaml", "other.yaml"), "one study at a time"),
    ],
)
def test_mistakes_are_answered_before_the_work(arguments, message, desk, study, made):
    status, out, err = study(*arguments)
    assert (status, out) == (2, [])
    assert message in err
    assert "Traceback" not in err
    assert not (desk / "runs").exists()


def test_a_metric_that_no_run_has_loses_nothing(desk, study, made):
    text = (desk / "own.yaml").read_text()
    (desk / "own.yaml").write_text(text.replace("OMES: score/omes", "OMES: score/omse"))
    status, _, err = study()
    assert status == 2
    assert "no run has such a metric. There are: score/omes" in err
    (desk / "own.yaml").write_text(text)
    assert study()[0] == 0
    assert len(made[0]) == 6


def test_the_list_tells_what_is_done(desk, study, made):
    status, out, err = study("list")
    assert status == 0
    assert any(line.startswith("rls_ablation") and "earn their place?" in line for line in out)
    assert not any(line.startswith(" ") for line in out)
    assert "Budgets: smoke, standard, paper." in err


def test_the_list_tells_what_was_begun_with_other_settings_too(desk, study, made):
    for name, suffix, status in (
        ("rls_ablation", "smoke", "done"),
        ("rls_ablation", "smoke-1c9f20a7", "failed"),
        ("rls_ablation-mine", "smoke", "done"),
    ):
        state = desk / "runs" / "studies" / f"{name}-{suffix}" / "study.json"
        state.parent.mkdir(parents=True)
        state.write_text(json.dumps({"study": name, "jobs": [{"status": "done"}, {"status": status}]}))
    _, out, _ = study("list")
    place = next(number for number, line in enumerate(out) if line.startswith("rls_ablation"))
    assert [line for line in out if line.startswith(" ")] == out[place + 1 : place + 3]
    assert out[place + 1 : place + 3] == [
        "  runs/studies/rls_ablation-smoke: 2 of 2 jobs done",
        "  runs/studies/rls_ablation-smoke-1c9f20a7: 1 of 2 jobs done",
    ]


@pytest.mark.parametrize("stray", ["--dry-run", "budget=paper", "model.beta=4", "list2"])
def test_the_list_refuses_what_it_would_pass_over(stray, desk, study):
    status, out, err = study("list", stray)
    assert (status, out) == (2, [])
    assert stray in err


def test_help_names_the_studies(desk, study):
    status, out, _ = study("--help")
    assert status == 0
    assert "rls_ablation" in out[-1]
