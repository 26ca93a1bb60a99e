from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import micrographia as mg
from micrographia.api.figures import Figure


def test_a_run_says_what_it_is(trained, here):
    assert (trained.task, trained.name) == ("train", "beta_vae-texture_dsprites")
    assert trained.seconds > 0
    assert trained.config["seed"] == 0
    assert trained.command.startswith("micrographia train budget.steps=2 ")
    assert trained.settings["budget.steps"] == "2"
    assert "how.threads" not in trained.settings
    assert Path(trained) == trained.path
    assert str(trained) == str(trained.path)
    assert repr(trained) == f"Run({str(trained.path)!r})"


def test_a_run_has_tables_with_named_columns(trained, here):
    assert {"latents", "association"} <= set(trained.tables)
    assert list(trained.table("latents"))[:2] == ["latent", "name"]
    association = trained.table("association")
    assert association.index.tolist() == trained.model("cpu").latent_names
    assert not any(str(name).startswith("Unnamed") for name in association)
    with pytest.raises(mg.UserError, match=r"table latent: .* \(did you mean latents\?\)\. There are: association"):
        trained.table("latent")


def test_a_run_has_figures_that_a_notebook_shows(trained, here):
    figure = trained.figure("curves")
    assert figure._repr_png_() == figure.path.read_bytes()
    with pytest.raises(mg.UserError, match="figure nothing: "):
        trained.figure("nothing")


def test_a_figure_may_be_shown_smaller(tmp_path):
    Image.new("RGB", (400, 200)).save(tmp_path / "a.png")
    assert Figure(tmp_path / "a.png", 100).image.size == (100, 50)
    assert Figure(tmp_path / "a.png", 800).image.size == (400, 200)
    assert Figure(tmp_path / "a.png", 100)._repr_png_().startswith(b"\x89PNG")


def test_a_summary_holds_what_leads_and_no_markup_of_others(trained, here):
    text = trained._repr_html_()
    assert text.count("<div") == text.count("</div>")
    assert "<code>budget.steps=2</code>" in text
    assert "<code>curves</code>" in text
    shipped = mg.load("pretrained/ada_gvae")._repr_html_()
    assert "<code>pretrained/ada_gvae</code>" in shipped
    assert "nan" not in shipped


def test_a_model_is_loaded_with_its_weights(trained, here):
    model = trained.model("cpu")
    assert not model.training
    images = mg.preview("synthetic/texture_dsprites", count=3).pixels
    codes = trained.encode(images, "cpu")
    assert list(codes) == model.latent_names
    with torch.no_grad():
        np.testing.assert_allclose(codes.to_numpy(), model.encode(torch.from_numpy(images))[0].numpy(), rtol=1e-5)
    eight_bit = trained.encode((images * 255).round().astype(np.uint8), "cpu")
    np.testing.assert_allclose(eight_bit, codes, atol=0.05)


def test_what_a_model_cannot_encode_is_refused(trained, here):
    with pytest.raises(mg.UserError, match=r"items of shape \(3, 8, 8\); the model takes \(3, 64, 64\)"):
        trained.encode(np.zeros((2, 3, 8, 8)))
    with pytest.raises(mg.UserError, match="values from 0 to 300"):
        trained.encode(np.linspace(0, 300, 2 * 3 * 64 * 64).reshape(2, 3, 64, 64))
    with pytest.raises(mg.UserError, match="holds a StyleGAN2, and no VAE"):
        mg.load("pretrained/stylegan2_translocation").encode(np.zeros((1, 2, 64, 64)))


def test_a_shipped_run_is_read_like_any_other():
    run = mg.load("pretrained/beta_vae")
    assert (run.task, run.place, run.command, run.settings) == ("train", "pretrained/beta_vae", "", {})
    assert str(run) == "pretrained/beta_vae"
    assert np.isnan(run.seconds)
    assert run.metrics.name == run.name
