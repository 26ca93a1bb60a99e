import json
import statistics
from pathlib import Path

import pandas as pd
import pytest

from micrographia.runs.run import Run
from micrographia.tasks.jobs import Job
from micrographia.tasks.sweep import distinguishing_keys, importance_spread, label, seeds_varied, spread, summarise


@pytest.fixture
def job(tmp_path):
    """A finished job: its overrides, what its run is, its metrics."""

    def make(overrides, what, **metrics):
        folder = tmp_path / "runs" / "train" / "-".join(overrides)
        folder.mkdir(parents=True, exist_ok=True)
        named = {name.replace("__", "/"): value for name, value in metrics.items()}
        (folder / "result.json").write_text(json.dumps({"metrics": named}))
        return Job(tuple(overrides), Run(folder), what)

    return make


def training(seed, **model):
    return {"task": "train", "seed": seed, "model": model, "data": {"split_seed": 42}}


def test_runs_that_differ_in_seeds_alone_are_joined(job):
    values = {1: [0.1, 0.4, 0.3], 2: [0.5, 0.5, 0.8]}
    jobs = [
        job([f"model.beta={beta}", f"seed={seed}"], training(seed, beta=beta), score__mig=value, latents__kl=3.0)
        for beta in values
        for seed, value in enumerate(values[beta])
    ]
    table = spread(jobs, ["model.beta"])
    assert table["model.beta"].tolist() == ["1", "2"]
    assert table["metric"].tolist() == ["score/mig"] * 2
    assert table["runs"].tolist() == [3, 3]
    assert table["seeds varied"].tolist() == ["training (3)"] * 2
    assert table["mean"].tolist() == pytest.approx([statistics.fmean(values[beta]) for beta in values])
    assert table["sd"].tolist() == pytest.approx([statistics.stdev(values[beta]) for beta in values])
    assert table["folders"][0].split()[0] == "train/model.beta=1-seed=0"


def test_one_run_has_no_spread(job, capsys):
    jobs = [job([f"model.beta={beta}"], training(0, beta=beta), score__mig=beta / 8) for beta in (1, 2)]
    table = spread(jobs, ["model.beta"])
    assert table["sd"].isna().all()
    assert table["seeds varied"].tolist() == ["none", "none"]
    summarise("train", jobs)
    shown = capsys.readouterr()
    assert "0.125" in shown.err
    assert "± 0" not in shown.err
    assert shown.out == ""


def test_a_metric_counts_the_runs_that_have_it(job):
    old = job(["seed=0"], training(0), score__mig=0.1)
    new = job(["seed=1"], training(1), score__mig=0.3, score__omes=0.5, flagged__rls=3)
    table = spread([old, new], []).set_index("metric")
    assert table["runs"].to_dict() == {"score/mig": 2, "score/omes": 1, "flagged/rls": 1}
    assert table["mean"].to_dict() == pytest.approx({"score/mig": 0.2, "score/omes": 0.5, "flagged/rls": 3})


def test_jobs_of_one_run_count_once(job, capsys):
    jobs = [
        *(job(["seed=0"], training(0), score__mig=0.25) for _ in range(2)),
        job(["seed=1"], training(1), score__mig=0.25),
    ]
    summarise("train", jobs)
    assert "train: 2 runs" in capsys.readouterr().err


def test_the_file_is_the_same_for_the_same_sweep_whatever_fails(job, tmp_path):
    whole = [job([f"seed={seed}", "how.threads=1"], training(seed), score__mig=0.5) for seed in range(3)]
    summarise("train", whole)
    summarise("train", [*whole[:2], Job(whole[2].overrides, mistake="no memory", log=Path("2.log"))])
    file, record = sorted((tmp_path / "runs" / "sweeps").iterdir())
    assert file.name.startswith("train-seed-")
    assert record.name == f"{file.stem}.json"
    jobs = json.loads(record.read_text())["jobs"]
    assert [(job["overrides"][0], job["status"], job["mistake"]) for job in jobs] == [
        ("seed=0", "done", None),
        ("seed=1", "done", None),
        ("seed=2", "failed", "no memory"),
    ]
    assert jobs[0]["run"] == str(whole[0].run.folder)
    assert jobs[2]["log"] == "2.log"


@pytest.fixture
def carried_job(job):
    """A finished transfer of two seeds, with importances that follow from the target's."""

    def make(source, target):
        made = job([f"source.seed={source}", f"seed={target}"], carried(training(source), target), score__mig=0.5)
        rows = [
            {"phase": "before", "probe": "gbt", "kind": kind, "feature": name, "importance": target / 10, "spread": 0.0}
            for kind in ("gain", "permutation")
            for name in ("Scale", "z3")
        ]
        made.run.save_table("importance", pd.DataFrame(rows))
        return made

    return make


def test_importances_are_joined_over_the_targets_seeds(carried_job, tmp_path, capsys):
    summarise("transfer", [carried_job(0, seed) for seed in (1, 2, 6)])
    (file,) = (tmp_path / "runs" / "sweeps").glob("*-importance.csv")
    assert "importance of latents over the runs:" in capsys.readouterr().err
    table = pd.read_csv(file)
    assert table["latent"].tolist() == ["Scale", "z3"] * 2
    assert table["kind"].tolist() == ["gain"] * 2 + ["permutation"] * 2
    assert table["runs"].eq(3).all()
    assert table["seeds varied"].eq("target (3)").all()
    assert table["mean"].tolist() == pytest.approx([0.3] * 4)
    assert table["sd"].tolist() == pytest.approx([statistics.stdev([0.1, 0.2, 0.6])] * 4)


def test_unnamed_latents_of_several_sources_are_not_joined(carried_job):
    table = importance_spread([carried_job(seed, seed) for seed in range(3)], [])
    assert table["latent"].unique().tolist() == ["Scale"]


def test_without_a_finished_run_or_a_headline_there_is_no_table(job, tmp_path, capsys):
    summarise("train", [Job(("seed=0",)), Job(("seed=1",))])
    summarise("train", [job([f"seed={seed}"], training(seed), latents__kl=1.0) for seed in range(2)])
    assert capsys.readouterr().err == ""
    assert not (tmp_path / "runs" / "sweeps").exists()


def carried(source, target, **data):
    return {"task": "transfer", "seed": target, "source": source, "data": data}


@pytest.mark.parametrize(
    ("configs", "sides"),
    [
        ([training(0), training(0)], "none"),
        ([carried(training(n), n) for n in range(4)], "source (4), target (4)"),
        ([carried(training(n), 0) for n in range(4)], "source (4)"),
        ([carried(training(n // 2), n % 2) for n in range(4)], "source (2), target (2)"),
        ([carried({"run": "pretrained/ada_gvae"}, n) for n in range(4)], "target (4)"),
        ([carried({"run": "pretrained/ada_gvae"}, 0, split_seed=n) for n in range(4)], "target (4)"),
        ([{"task": "train", "seed": 0, "model": {"source": training(n)}} for n in range(2)], "source (2)"),
    ],
)
def test_it_is_stated_whose_seeds_varied(configs, sides):
    assert seeds_varied(configs) == sides


def test_a_sweep_never_writes_among_what_ships(job, tmp_path, monkeypatch, capsys):
    own, shipped = (job([f"seed={seed}"], training(seed), score__mig=0.5) for seed in range(2))
    monkeypatch.setattr("micrographia.tasks.sweep.is_shipped", lambda folder: folder == shipped.run.folder)
    summarise("train", [shipped])
    assert not (tmp_path / "runs" / "sweeps").exists()
    summarise("train", [shipped, own])
    assert len(list((tmp_path / "runs" / "sweeps").glob("*.csv"))) == 1


def test_many_swept_keys_still_give_a_file_name(job):
    keys = [f"source.model.discriminator_optimizer.key{number}" for number in range(20)]
    named = label("evaluate", keys, [job(["seed=0"], training(0))])
    assert named.startswith("evaluate-source.model")
    assert len(named) <= 110
    assert named != label("evaluate", keys, [job(["seed=1"], training(1))])


def test_settings_of_one_kind_of_source_do_not_tell_the_others_apart():
    beta = {"name": "a", "source": {"task": "train", "name": "b", "model": {"name": "beta_vae", "beta": 4}}}
    factor = {
        "name": "c",
        "source": {"task": "train", "name": "d", "model": {"name": "factor_vae", "gamma": 10, "width": 1000}},
    }
    other = {
        "name": "e",
        "source": {"task": "train", "name": "f", "model": {"name": "factor_vae", "gamma": 20, "width": 1000}},
    }
    assert distinguishing_keys([beta, factor, other]) == [
        ["source.model.name=beta_vae"],
        ["source.model.name=factor_vae", "source.model.gamma=10"],
        ["source.model.name=factor_vae", "source.model.gamma=20"],
    ]
