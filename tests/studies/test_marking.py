"""Which cells of a study's table are in bold, and what is said of it."""

import pytest

from micrographia.errors import UserError
from micrographia.search_path import study_files
from micrographia.studies.captions import describe_best
from micrographia.studies.gathering import gather
from micrographia.studies.reading import read_study
from micrographia.studies.summary import summarise
from micrographia.studies.tabulating import wide_table


@pytest.fixture
def table(study, content, job):
    """A table of one seed's metrics: its texts with those in bold marked, and what is said of them."""

    def make(entry, *metrics, overrides=("seed=0",)):
        content["result"] = [{"table": "one", **entry}]
        jobs = [job(*overrides, f"images={place}", metrics=found) for place, found in enumerate(metrics, 1)]
        own = study(content)
        summary = summarise(own.result[0], gather(own.result[0], jobs), own)
        wide = wide_table(summary, own.labels)
        bold = [
            [f"*{text}*" if top else text for text, top in zip(texts, tops, strict=True)]
            for texts, tops in zip(wide.texts, wide.best, strict=True)
        ]
        return {", ".join(names): texts for names, texts in zip(wide.rows, bold, strict=True)}, describe_best(
            summary, wide, own.labels
        )

    return make


AUC = {"metrics": "assay/auc/{method}", "rows": ["method"], "best": "max", "digits": 2}


def test_nothing_is_bold_where_all_look_alike(table):
    found, words = table(AUC, {"assay/auc/hr": 1.0, "assay/auc/rls": 0.999, "assay/auc/bicubic": 1.0})
    assert found == {"RLS": ["1.00"], "bicubic": ["1.00"], "high resolution": ["1.00"]}
    assert words == ""


def test_what_looks_alike_is_bold_together_and_high_resolution_does_not_compete(table):
    metrics = {"assay/auc/hr": 1.0, "assay/auc/rls": 0.802, "assay/auc/bicubic": 0.8, "assay/auc/pulse": 0.5}
    found, words = table(AUC, metrics)
    assert found == {"RLS": ["*0.80*"], "bicubic": ["*0.80*"], "high resolution": ["1.00"], "PULSE": ["0.50"]}
    assert words == "In bold: the highest; high resolution does not compete."


def test_the_raw_input_does_not_compete_by_its_phase_or_by_its_metric(table):
    metrics = {f"probe/gbt/{phase}/accuracy": value for phase, value in (("before", 0.5), ("after", 0.7))}
    metrics["probe/gbt/baseline/accuracy"] = 0.9
    entry = {"metrics": "probe/{probe}/{phase}/accuracy", "rows": ["probe"], "columns": ["phase"], "best": "max"}
    found, words = table(entry | {"among": ["phase"]}, metrics)
    assert found == {"boosted trees": ["0.500", "*0.700*", "0.900"]}
    assert words == "In bold: the highest by phase at the same probe; baseline does not compete."
    named = {name: f"probe/gbt/{phase}/accuracy" for name, phase in (("raw", "baseline"), ("codes", "after"))}
    named["old codes"] = "probe/gbt/before/accuracy"
    entry = {"metrics": named, "rows": ["images"], "columns": ["metric"], "best": "max", "among": ["metric"]}
    found, words = table(entry, metrics)
    assert found == {"1": ["0.900", "*0.700*", "0.500"]}
    assert words.endswith("; raw does not compete.")


def test_rivals_are_those_that_are_named(table):
    entry = {"metrics": "image/{score}/{method}", "rows": ["method", "images"], "columns": ["score"], "digits": 0}
    directions = {"best": {"psnr": "max", "lr_residual": "min"}}
    easy = {"image/psnr/rls": 30, "image/psnr/bicubic": 29, "image/lr_residual/rls": 4, "image/lr_residual/bicubic": 2}
    hard = {name: value - 1 for name, value in easy.items()}
    found, words = table(entry | directions | {"among": ["method"]}, easy, hard)
    assert found == {
        **{"RLS, 1": ["*30*", "4"], "RLS, 2": ["*29*", "3"]},
        **{"bicubic, 1": ["29", "*2*"], "bicubic, 2": ["28", "*1*"]},
    }
    assert words == "In bold: the best by method at the same images and score."
    found, words = table(entry | directions, easy, hard)
    assert found["RLS, 1"] == ["*30*", "4"]
    assert found["bicubic, 2"] == ["28", "*1*"]
    assert words == "In bold: the best of each column."


def test_the_largest_looks_at_the_size(table):
    metrics = {"score/a": -0.9, "score/b": 0.4}
    found, words = table({"metrics": "score/{latent}", "rows": ["latent"], "best": "largest"}, metrics)
    assert found == {"a": ["*\N{MINUS SIGN}0.900*"], "b": ["0.400"]}
    assert words == "In bold: the largest in size."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"best": {"psnr": "most"}}, r"result\.fidelity\.best\.psnr=most: expected max, min, largest"),
        ({"among": ["factor"]}, r"result\.fidelity\.among: factor is neither among its rows nor its columns"),
    ],
)
def test_directions_and_rivals_that_are_none_are_refused(change, message, study, content):
    content["result"][0] |= change
    with pytest.raises(UserError, match=message):
        study(content)


def test_rivals_need_a_direction(study, content):
    content["result"][0].pop("best")
    content["result"][0]["among"] = ["method"]
    with pytest.raises(UserError, match=r"result\.fidelity\.among: nothing competes without best"):
        study(content)


def is_contest(entry):
    """Whether cells compete: pictures and boxes do not, nor means over the unflagged images, which differ by method."""
    return "collect" not in entry.node and entry.node.get("kind") != "boxes" and entry.name != "unflagged"


def test_every_study_that_ships_says_what_is_best():
    silent = {
        f"{name}: {entry.name}"
        for name, file in study_files().items()
        for entry in read_study(file).result
        if "best" not in entry.node and is_contest(entry)
    }
    assert silent == set()
