import math

import pandas as pd

from micrographia.console import console
from micrographia.training.show import closing_table, recovery_table, scores_table, sweep_table


def test_the_closing_table_says_how_many_images_and_how_channels_were_mapped(capsys):
    closing_table("cnn", {"val/loss": 0.5}, {"images": {"train": 3, "val": 1}, "channels": "DAPI, zero"})
    shown = capsys.readouterr().err
    assert "val/loss" in shown
    assert "images: 3 train, 1 val; channels: DAPI, zero" in shown
    closing_table("cnn", {}, {"images": {"train": 3, "val": 1}, "labelled": {"train": 2}})
    assert "images: 3 train, 1 val; labelled: 2 train" in capsys.readouterr().err


def test_an_undefined_score_shows_why_and_intervals_only_where_there_are_some(capsys):
    table = pd.DataFrame({"score": ["mig", "irs"], "value": [0.25, None], "low": None, "high": None})
    scores_table("vae", table.astype({"value": float}).assign(undefined=["", "all latents are constant"]))
    shown = capsys.readouterr().err
    assert "0.250" in shown
    assert "all latents are constant" in shown
    assert "95 %" not in shown
    bounded = table.astype({"value": float}).assign(low=[0.2, None], high=[0.3, None], undefined="")
    scores_table("vae", bounded.astype({"low": float, "high": float}))
    shown = capsys.readouterr().err
    assert "0.200 to 0.300" in shown
    assert "nan" not in shown


RECOVERED = {
    "flagged/bicubic": 0,
    "image/lr_residual/bicubic": 0.005,
    "image_all/lr_residual/bicubic": 0.005,
    "assay/mae/bicubic": 1.5,
    "flagged/no_regularization": 6,
    "image_all/lr_residual/no_regularization": 0.0123,
    "assay_all/mae/no_regularization": 0.9,
    "assay/mae/hr": 0.6,
}


def test_of_a_method_that_is_flagged_throughout_the_means_over_all_stand_in_parentheses(capsys):
    recovery_table("mine", 6, RECOVERED, 0.9)
    shown = capsys.readouterr().err
    assert "(0.012)" in shown
    assert "(0.9)" in shown
    assert "(0.005)" not in shown
    words = " ".join(shown.split())
    assert "in parentheses over all images of a method of which each has a flag" in words
    assert "typicality unknown (flow=none)" in words
    assert "covered" not in words


def test_where_some_images_are_trusted_no_parentheses_are_explained(capsys):
    recovery_table("mine", 6, {name: value for name, value in RECOVERED.items() if "no_reg" not in name}, 0.9)
    assert "parentheses" not in capsys.readouterr().err


def test_coverage_is_explained_with_what_was_asked_for(capsys):
    recovery_table("mine", 6, RECOVERED | {"assay/coverage/bicubic": 0.5}, 0.8)
    words = " ".join(capsys.readouterr().err.split())
    assert "50%" in words
    assert "holds the truth, 80% asked for" in words


def test_long_names_of_methods_break_and_are_not_cut(capsys, monkeypatch):
    monkeypatch.setattr(console, "width", 40)
    recovery_table("mine", 6, RECOVERED | {"flagged/no_regularization_at_all": 6}, 0.9)
    shown = capsys.readouterr().err
    assert "…" not in shown
    firsts = "".join(line.split(" ")[0] for line in shown.splitlines())
    assert "no_regularization_at_all" in firsts


def test_a_sweep_of_recoveries_has_lines_without_flagged_images_and_over_all(capsys):
    metrics = {
        "flagged/bicubic": 0,
        "image/psnr/bicubic": 30.0,
        "image_all/psnr/bicubic": 30.0,
        "flagged/rls": 2,
        "image/psnr/rls": 31.5,
        "image_all/psnr/rls": 29.5,
        "assay/auc/rls": 0.75,
        "assay_all/auc/rls": 0.7,
        "assay/ssmd/rls": 1.25,
        "flagged/pulse": 6,
        "image_all/psnr/pulse": 26.5,
        "assay/auc/hr": 1.0,
        "assay_all/auc/hr": 1.0,
    }
    alike = {"runs": 1, "seeds varied": "none", "sd": math.nan, "folders": ""}
    rows = [{"factor": factor, "metric": name, "mean": metrics[name], **alike} for factor in "84" for name in metrics]
    sweep_table("superresolve: 2 runs", pd.DataFrame(rows))
    shown = capsys.readouterr().err
    texts = [" ".join(line.split()) for line in shown.splitlines()]
    expected = ("bicubic 0 30.0", "rls 2 31.5 0.75", "all 29.5 0.70", "pulse 6", "all 26.5", "hr 1.00")
    places = [[place for place, line in enumerate(texts) if line.endswith(text)] for text in expected]
    assert [len(found) for found in places] == [2] * 6
    assert [found[0] for found in places] == sorted(found[0] for found in places)
    assert "1.25" not in shown
    words = "leave out those with a flag, which `flags` counts"
    assert words in " ".join(shown.split())
    sweep_table("train: 2 runs", pd.DataFrame([{**row, "metric": "score/mig"} for row in rows[:1]]))
    assert words not in " ".join(capsys.readouterr().err.split())


def test_a_sweeps_table_loses_no_number_on_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setattr(console, "width", 60)
    alike = {"degradation.steps.reduce.factor": "8", "runs": 2, "seeds varied": "target (2)", "folders": ""}
    names = ("image/psnr", "assay/mae", "assay/correlation", "assay/auc", "flagged")
    rows = [{**alike, "metric": f"{name}/no_regularization", "mean": 31.234, "sd": 12.345} for name in names]
    sweep_table("superresolve: 2 runs", pd.DataFrame(rows))
    shown = capsys.readouterr().err
    for text in ("no_regularization", "31.2 ± 12.3", "31.23 ± 12.35", "factor=8", "target (2)"):
        assert text in shown, text
    assert "…" not in shown
