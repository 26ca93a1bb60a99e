"""Images of one's own on the scale of those that the generator has learned."""

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import torch

from micrographia.cli import command
from micrographia.config import instantiate
from micrographia.data.datamodule import all_indices
from micrographia.errors import UserError
from micrographia.filters import AveragePooling
from micrographia.runs.address import composed
from micrographia.tasks.assembly import build_data
from micrographia.tasks.scaling import networks_alike, scaled_alike, undivided
from micrographia.tasks.subjects import find_subjects, require_channels

HOW = {"accelerator": "cpu", "threads": 1, "paths": {"runs": "runs", "cache": "cache"}, "progress": False}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Caches lie where the test runs."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def write(tmp_path):
    """Write images ``(channels, height, width)`` as a folder, and return it."""

    def of(name, images):
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            tifffile.imwrite(tmp_path / name / f"{number}.tif", image, metadata={"axes": "CYX"})
        return tmp_path / name

    return of


def seen(folder, *options):
    """A folder's images as a search with the shipped generator sees them."""
    given = ("data=image_folder", f"data.root={folder}", "data.model_channels=2", "generator=pretrained/translocation")
    what = undivided(composed("superresolve", [*given, *options])[0])
    data = scaled_alike(what, HOW, build_data(what, HOW, 8, {}))
    return data.images(all_indices(data).sort().values).float()


@pytest.fixture
def cells():
    """Six simulated cells at low resolution, as counts of the camera, and in 0..1 as the generator has learned them."""
    data = build_data(composed("superresolve", [])[0], HOW, 64, {})
    chosen = data.indices("test")[::400][:6]
    reduce = AveragePooling(8)
    counts = reduce(data.raw(chosen).int().double()).round().numpy().astype(np.uint16)
    return counts, reduce(data.images(chosen).float())


def test_counts_are_on_the_scale_of_the_simulated_set(write, cells):
    counts, unit = cells
    torch.testing.assert_close(seen(write("counts", counts)), unit, atol=2e-3, rtol=0)


def test_images_of_eight_bit_are_taken_by_their_type_and_that_is_said(write, caplog):
    images = np.random.default_rng(0).integers(10, 200, (3, 2, 8, 8), np.uint8)
    with caplog.at_level("WARNING"):
        torch.testing.assert_close(seen(write("eight", images)), torch.as_tensor(images).float())
    (said,) = [message for message in caplog.messages if "range of their type" in message]
    assert "scaled from 0 to 8000: images that were stretched are on another scale" in said


@pytest.mark.parametrize(
    "learned", [{"limits": {"p1": [[0, 8]]}}, {"limits": [], "limits_of_plates": {"p1": [[0, 8]]}}]
)
def test_images_of_eight_bit_beside_a_generator_scaled_plate_by_plate(write, caplog, monkeypatch, learned):
    record = {"data": learned}
    monkeypatch.setattr("micrographia.tasks.scaling.Run.named", lambda *_: SimpleNamespace(record=lambda _: record))
    seen(write("eight", np.full((2, 2, 8, 8), range(8), np.uint8)))
    assert "The generator's were scaled plate by plate" in caplog.text


def test_images_of_high_resolution_are_on_that_scale_too(write):
    data = build_data(composed("superresolve", [])[0], HOW, 64, {})
    chosen = data.indices("test")[::800][:6]
    folder = write("high", data.raw(chosen).numpy())
    given = ("data=image_folder", f"data.root={folder}", "data.model_channels=2", "generator=pretrained/translocation")
    what = composed("superresolve", [*given, "data.split=none", "images=null", "part=train"])[0]
    _, subjects, _ = find_subjects(what, HOW, 2, 64, instantiate(what["degradation"], "degradation"), False)
    torch.testing.assert_close(subjects.high.float(), data.images(chosen).float(), atol=1e-3, rtol=0)


def test_networks_that_are_trained_for_the_run_learn_on_that_scale(write, cells):
    given = ("data=image_folder", f"data.root={write('mine', cells[0])}", "data.model_channels=2", "data.split=none")
    methods = ("+inversion@methods.supervised=supervised", "encoder=trained", "generator=pretrained/translocation")
    what = composed("superresolve", [*given, *methods])[0]
    data = scaled_alike(what, HOW, build_data(what, HOW, 8, {}))
    alike = networks_alike(what, data.record())
    for node in (alike["methods"]["supervised"]["network"], alike["encoder"]):
        assert node["data"]["limits"] == [[0, 8000]] * 2
    assert alike["methods"]["rls"] == what["methods"]["rls"]
    chosen = composed("superresolve", [*given, *methods, "data.limits=[[0,900]]"])[0]
    assert networks_alike(chosen, build_data(chosen, HOW, 8, {}).record()) == chosen


@pytest.mark.parametrize("spoil", [lambda image: np.full_like(image, 65535), lambda image: image * 0])
def test_a_bad_image_leaves_the_others_as_they_are(write, cells, spoil):
    counts, _ = cells
    spoiled = counts.copy()
    spoiled[3] = spoil(spoiled[3])
    others = [0, 1, 2, 4, 5]
    assert torch.equal(seen(write("whole", counts))[others], seen(write("spoiled", spoiled))[others])


def test_a_float_image_of_another_unit_leaves_the_others_as_they_are(write, cells):
    counts = cells[0].astype(np.float32)
    spoiled = counts.copy()
    spoiled[3] *= 1e6
    spoiled[4, 0, 0, 0] = np.nan
    others = [0, 1, 2, 5]
    assert torch.equal(seen(write("whole", counts))[others], seen(write("spoiled", spoiled))[others])


@pytest.mark.parametrize("level", [np.nan, 0])
def test_frames_without_content_do_not_decide_the_unit(write, cells, level):
    counts = cells[0].astype(np.float32)
    spoiled = counts.copy()
    spoiled[:4] = level
    assert torch.equal(seen(write("whole", counts))[4:], seen(write("spoiled", spoiled))[4:])


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_of_nan_alone_no_unit_is_known_and_the_search_answers(write, cells):
    assert seen(write("unknown", np.full_like(cells[0], np.nan, np.float32))).isnan().all()


def test_images_of_another_unit_need_limits(write, cells):
    folder = write("unit", cells[1].numpy())
    with pytest.raises(UserError, match=r"data\.limits: these images reach .* learned 8000"):
        seen(folder)
    torch.testing.assert_close(seen(folder, "data.limits=[[0,1]]"), cells[1], atol=1e-3, rtol=0)


def test_a_generator_without_limits_needs_them_of_deep_images(write, cells, monkeypatch):
    folder = write("counts", cells[0])
    record = {"shape": [2, 64, 64], "data": {}}
    monkeypatch.setattr("micrographia.tasks.scaling.Run.named", lambda *_: SimpleNamespace(record=lambda _: record))
    with pytest.raises(UserError, match=r"had no limits.*data\.limits=\[\[LOW,HIGH\]\]"):
        seen(folder)
    assert seen(folder, "data.intensity=percentile").max() == 1


@pytest.mark.parametrize(
    ("channels", "options", "answer"),
    [
        (1, ("data.model_channels=2",), r"would show one channel as several of the generator's 2 \(grey, grey\)"),
        (2, ("data.model_channels=2", "data.channels=[0,0]"), "would show one channel as several"),
        (1, ("data.model_channels=1",), r"the images of image_folder have 1: give images of 2 channels"),
        (3, ("data.model_channels=3",), r"the images of image_folder have 3: set data\.model_channels=2"),
    ],
)
def test_one_channel_does_not_stand_for_several(write, channels, options, answer):
    folder = write("mine", np.zeros((2, channels, 8, 8), np.uint8))
    given = ("data=image_folder", f"data.root={folder}", "data.split=none", "generator=pretrained/translocation")
    what, _ = composed("superresolve", [*given, *options])
    with pytest.raises(UserError, match=answer):
        require_channels(build_data(what, HOW, 8, {}), what["generator"], 2)


def test_a_generator_of_repeated_channels_takes_such(write, monkeypatch):
    folder = write("mine", np.zeros((2, 1, 8, 8), np.uint8))
    what, _ = composed("superresolve", ["data=image_folder", f"data.root={folder}", "data.split=none"])
    data = build_data(what, HOW, 8, {})
    record = {"data": {"repeats": True}}
    monkeypatch.setattr("micrographia.tasks.subjects.Run.named", lambda *_: SimpleNamespace(record=lambda _: record))
    require_channels(data, {"run": "grey"}, 3)
    require_channels(data, {"task": "train"}, None)


def test_the_command_refuses_one_channel_for_two(write, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    folder = write("mine", np.full((2, 1, 8, 8), 900, np.uint16))
    given = ("data=image_folder", f"data.root={folder}", "data.model_channels=2", "generator=pretrained/translocation")
    assert command(["superresolve", *given, "how.progress=false"]) == 2
    assert "would show one channel as several" in capsys.readouterr().err
