import pytest
from PIL import Image

import micrographia as mg

HOW = {"progress": False, "threads": 1}


@pytest.fixture
def images(here):
    """Two pictures in a folder."""
    (here / "pictures").mkdir(exist_ok=True)
    for number, pixels in enumerate(mg.preview("synthetic/texture_dsprites", count=2).pixels):
        picture = Image.fromarray((pixels.transpose(1, 2, 0) * 255).round().astype("uint8"))
        picture.save(here / "pictures" / f"{number}.png")
    return here / "pictures"


def test_a_run_is_asked_about_pictures(here, images):
    first = mg.predict("pretrained/beta_vae", images, here / "answers", how=HOW)
    assert (first.folder, first.images, first.unreadable) == (here / "answers", 2, 0)
    assert first.table["file"].tolist() == ["0.png", "1.png"]
    assert set(mg.load("pretrained/beta_vae").model("cpu").latent_names) <= set(first.table)
    with pytest.raises(mg.UserError, match="sede: no such key"):
        mg.predict(mg.load("pretrained/beta_vae"), images, here / "answers", sede=1)


def test_a_run_is_asked_about_an_array(here):
    pixels = mg.preview("synthetic/texture_dsprites", count=3).pixels
    run = mg.load("pretrained/beta_vae")
    table = mg.predict(run, pixels, here / "of an array", how=HOW).table
    latents = run.encode(pixels, "cpu")
    assert (table[latents.columns] - latents).abs().to_numpy().max() < 1e-2  # files hold half the digits
    with pytest.raises(mg.UserError, match=r"images: an array of shape \(3,\)"):
        mg.predict(run, [1, 2, 3], here / "of nothing", how=HOW)


def test_a_run_is_exported(trained, here):
    made = mg.export(trained, format="safetensors", output="model", how=HOW)
    assert made.folder.name == "model"
    assert made.difference < 1e-5
    assert {file.name for file in made.files} >= {"model.safetensors", "model.json"}
    with pytest.raises(mg.UserError, match="format=pickle"):
        mg.export(trained, format="pickle")
