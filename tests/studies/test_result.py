"""From finished runs to tables that one can defend."""

import pandas as pd
import pytest

from micrographia.errors import UserError
from micrographia.studies.captions import caption
from micrographia.studies.expansion import StudyJob
from micrographia.studies.gathering import check_keys, gather
from micrographia.studies.result import write_result
from micrographia.studies.summary import summarise
from micrographia.studies.tabulating import latex, markdown, wide_csv, wide_table

PSNR = {"bicubic": [30.0, 31.0, 32.0], "rls": [33.0, 33.5, 35.0]}


@pytest.fixture
def jobs(job):
    """Three seeds of two methods."""
    return [
        job(
            "images=1",
            f"seed={seed}",
            metrics={f"image/psnr/{name}": values[seed] for name, values in PSNR.items()}
            | {"image/ssim/rls": 0.9, "flagged/rls": 0.0},
            what={"seed": seed},
        )
        for seed in range(3)
    ]


def summary_of(study, jobs, place=0):
    return summarise(study.result[place], gather(study.result[place], jobs), study)


def test_means_and_spreads_are_those_of_the_seeds(study, content, jobs):
    found = summary_of(study(content), jobs)
    cell = found.cells[(found.cells["method"] == "rls") & (found.cells["score"] == "psnr")].iloc[0]
    assert (cell["n"], cell["mean"], cell["sd"]) == (3, pytest.approx(33.8333333), pytest.approx(1.0408330))
    assert found.cells["method"].unique().tolist() == ["rls", "bicubic"]  # as the labels stand
    (test,) = found.tests.to_dict("records")
    assert (test["score"], test["method"], test["pairs"]) == ("psnr", "rls", 3)
    assert test["difference"] == pytest.approx((3 + 2.5 + 3) / 3)
    assert test["p_sign_flip"] == 0.25


def test_the_wide_table(study, content, jobs):
    found = summary_of(study(content), jobs)
    wide = wide_table(found, study(content).labels)
    text = markdown(wide, "Below.")
    assert text.splitlines() == [
        "| method | psnr | ssim |",
        "| --- | ---: | ---: |",
        "| RLS | **33.8 ± 1.0** | 0.900 ± 0.000 |",
        "| bicubic | 31.0 ± 1.0 | — |",
        "",
        "Below.",
    ]
    typeset = latex(wide, "50 % of a_b", "fidelity")
    assert r"\caption{50 \% of a\_b}" in typeset
    assert r"RLS & \textbf{33.8 $\pm$ 1.0} & 0.900 $\pm$ 0.000 \\" in typeset
    assert typeset.count(r"\toprule") == typeset.count(r"\bottomrule") == 1
    numbers = wide_csv(found)
    assert numbers.columns.tolist()[:4] == ["method", "psnr mean", "psnr sd", "psnr n"]
    assert numbers.loc[0, "psnr mean"] == pytest.approx(33.8333333)


def test_a_cell_with_fewer_runs_says_so(study, content, jobs, job):
    content["result"][0].pop("compare")
    jobs.append(job("images=1", "seed=3", metrics={"image/psnr/rls": 34.0}, what={"seed": 3}))
    wide = wide_table(summary_of(study(content), jobs), {})
    assert wide.texts == [["33.9 ± 0.9 (n = 4)", "0.900 ± 0.000"], ["31.0 ± 1.0", "—"]]


def test_the_caption_states_what_the_numbers_rest_on(study, content, jobs):
    jobs.append(StudyJob("cells", "superresolve", ("images=1", "seed=3"), mistake="no memory."))
    own = study(content)
    text = caption(own, own.budget("smoke"), jobs, summary_of(own, jobs[:3]))
    assert text == (
        "Which is better? Mean ± standard deviation (n − 1) over seed (n = 3). From 3 runs at the budget smoke; "
        "seeds varied: training (3). Against bicubic: paired t-test, sign-flip permutation and Wilcoxon test over 3 "
        "pairs by seed; p-values after Holm over 1 comparison. 1 of 4 jobs failed and is missing here."
    )


def test_two_pairs_are_no_test(study, content, jobs):
    own = study(content)
    found = summary_of(own, jobs[:2])
    assert found.tests["p_t"].isna().all()
    assert "2 pairs by seed): too few for a test." in caption(own, own.budget("smoke"), jobs[:2], found)


def test_a_mean_never_mixes_what_is_not_alike(study, content, jobs, job):
    metrics = {"image/psnr/rls": 20.0, "image/psnr/bicubic": 21.0}
    jobs.append(job("images=2", "seed=0", metrics=metrics, what={"seed": 0}))
    with pytest.raises(UserError, match=r"result\.fidelity: .*images \(1, 2\) differs within a cell"):
        summary_of(study(content), jobs)
    content["result"][0]["where"] = {"images": 1}
    assert summary_of(study(content), jobs).cells["n"].tolist() == [3, 3, 3]
    content["result"][0].pop("where")
    content["result"][0]["rows"] = ["method", "images"]
    assert len(summary_of(study(content), jobs).cells) == 5


def test_two_jobs_of_one_run_count_once(study, content, jobs, job):
    twin = StudyJob("cells", "superresolve", ("images=01", "seed=0"), None, jobs[0].what, jobs[0].place)
    assert summary_of(study(content), [*jobs, twin]).cells["n"].tolist() == [3, 3, 3]


def test_keys_of_the_configuration_are_keys_too(study, content, jobs):
    content["result"][0]["rows"] = ["method", "data.name"]
    assert summary_of(study(content), jobs).cells["data.name"].unique().tolist() == ["assay"]


def test_short_names_are_understood_unless_two_end_alike(study, content, job):
    content["result"][0] = {"table": "one", "metrics": "score/omes", "rows": ["beta"]}
    own = [job("source.model.beta=1", "seed=0", metrics={"score/omes": 0.5})]
    own.append(job("source.model.beta=4", "seed=0", metrics={"score/omes": 0.25}))
    assert summary_of(study(content), own).cells["beta"].tolist() == ["1", "4"]
    two = job("source.model.beta=1", "finetune.beta=4", metrics={"score/omes": 0.5})
    with pytest.raises(UserError, match=r"beta: is short for source\.model\.beta and finetune\.beta"):
        summary_of(
            study(content), [*own, two, job("source.model.beta=1", "finetune.beta=1", metrics={"score/omes": 1})]
        )


def test_an_evaluation_has_the_keys_of_what_it_evaluates(study, content, job):
    content["result"][0] = {"table": "one", "metrics": "score/omes", "rows": ["beta"]}
    runs = [job(f"model.beta={beta}", sweep="vaes") for beta in (1, 4)]
    scored = [job(f"samples=1{n}", metrics={"score/omes": n / 4}, origin=run) for n, run in enumerate(runs)]
    assert summary_of(study(content), scored).cells["mean"].tolist() == [0, 0.25]


def test_rows_of_the_runs_tables(study, content, job):
    table = pd.DataFrame({"phase": ["before", "after", "after"], "feature": ["a", "a", "b"], "importance": [1.0, 2, 4]})
    runs = [job(f"seed={n}", tables={"importance": table.assign(importance=table["importance"] + n)}) for n in range(2)]
    entry = {"table": "latents", "from": "tables/importance", "values": "importance", "rows": ["feature"]}
    content["result"][0] = entry | {"columns": ["phase"]}
    cells = summary_of(study(content), runs).cells
    assert cells["mean"].tolist() == [1.5, 2.5, 4.5]
    content["result"][0] = entry | {"where": {"phase": "after"}}
    assert summary_of(study(content), runs).cells["mean"].tolist() == [2.5, 4.5]
    content["result"][0] = entry
    with pytest.raises(UserError, match=r"phase \(before, after\) differs"):
        summary_of(study(content), runs)
    content["result"][0] = entry | {"per_run": "mean"}
    assert summary_of(study(content), runs).cells["mean"].tolist() == [2, 4.5]
    content["result"][0] = entry | {"values": "gain"}
    with pytest.raises(UserError, match=r"values=gain: .* no such column. It has: phase, feature, importance"):
        summary_of(study(content), runs)


def test_other_sweeps_may_have_tables_of_other_columns(study, content, job):
    content["sweeps"]["spots"] = {"verb": "superresolve", "overrides": ["seed=0"]}
    where = {"sweep": "cells"}
    content["result"] = [{"table": "ratio", "from": "measured", "values": "ratio", "rows": ["sweep"], "where": where}]
    ours = job("seed=0", tables={"measured": pd.DataFrame({"ratio": [0.5]})})
    theirs = job("seed=0", tables={"measured": pd.DataFrame({"spots": [3]})}, sweep="spots")
    assert summary_of(study(content), [ours, theirs]).cells["mean"].tolist() == [0.5]


def test_what_no_run_has_is_answered_with_what_there_is(study, content, jobs):
    content["result"][0]["metrics"] = "images/{score}/{method}"
    with pytest.raises(UserError, match=r"no run has such a metric. There are: image/psnr/bicubic, image/psnr/rls"):
        summary_of(study(content), jobs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": ["method", "factor"]}, r"result\.fidelity: factor is no key"),
        ({"compare": {"across": "method", "reference": "rls", "pair": ["fold"]}}, r"result\.fidelity: fold is no key"),
    ],
)
def test_keys_that_no_job_has_are_refused_before_the_work(change, message, study, content, jobs):
    content["result"][0] |= change
    with pytest.raises(UserError, match=message):
        check_keys(study(content), jobs)


def test_a_reference_that_is_not_there(study, content, jobs):
    content["result"][0]["compare"]["reference"] = "nearest"
    with pytest.raises(UserError, match=r"reference=nearest: no method of that name. There are: "):
        summary_of(study(content), jobs)


@pytest.mark.parametrize("kind", ["points", "lines", "bars", "boxes"])
def test_every_kind_of_figure_is_written_with_its_table(kind, study, content, jobs, tmp_path):
    content["result"].append(
        {"figure": "psnr", "kind": kind, "metrics": "image/psnr/{method}", "x": "images", "hue": "method"}
    )
    own = study(content)
    (page,) = write_result(own, own.budget("smoke"), jobs, tmp_path / "out", "micrographia study own")
    names = {path.name for path in page.parent.iterdir()}
    for name in ("fidelity", "psnr"):
        assert {f"{name}{end}" for end in (".csv", "_long.csv", ".md", ".tex", ".png", ".pdf")} <= names
    assert {"fidelity_tests.csv", "fidelity_tests.md"} <= names
    assert page.read_text().startswith("# Which is better?\n\nmicrographia. `micrographia study own`")
    assert pd.read_csv(page.parent / "fidelity_long.csv")["value"].tolist()[:3] == PSNR["rls"]
    assert not list(page.parent.glob(".*.part*"))


def test_an_entry_that_cannot_be_built_leaves_the_others(study, content, jobs, tmp_path):
    content["result"].insert(0, {"table": "none", "metrics": "no/{such}", "rows": ["such"]})
    own = study(content)
    with pytest.raises(UserError, match=r"result\.none\.metrics"):
        write_result(own, own.budget("smoke"), jobs, tmp_path / "out", "")
    assert (tmp_path / "out" / "fidelity.md").exists()
