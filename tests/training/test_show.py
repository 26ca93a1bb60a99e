import pandas as pd

from micrographia.training.show import closing_table, scores_table


def test_the_closing_table_says_how_many_images_and_how_channels_were_mapped(capsys):
    closing_table("cnn", {"val/loss": 0.5}, {"images": {"train": 3, "val": 1}, "channels": "DAPI, zero"})
    shown = capsys.readouterr().err
    assert "val/loss" in shown
    assert "images: 3 train, 1 val; channels: DAPI, zero" in shown


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
