import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from skimage.draw import ellipse

from micrographia.config import config_directory, instantiate
from micrographia.data.reading import read_image
from micrographia.data.synthetic.golgi import GolgiAssay
from micrographia.data.synthetic.translocation import TranslocationAssay
from micrographia.errors import UserError
from micrographia.measure.assays.assay import FLAGS
from micrographia.measure.assays.golgi import GolgiSpots
from micrographia.measure.assays.nuclei import NucleusSegmentation, central_label, cores, ring
from micrographia.measure.assays.translocation import Translocation
from micrographia.measure.underflow import flushes_subnormal

DATA = os.environ.get("MICROGRAPHIA_DATA")
MEASUREMENTS = [Translocation(), GolgiSpots()]


def disc(row, column, radius, size=64):
    rows, columns = np.mgrid[:size, :size]
    return np.hypot(rows - row, columns - column) < radius


def cell(ratio=2.0, background=0.1, level=0.2, noise=0.003):
    """A nucleus of radius 8 in the middle of a flat cytoplasm."""
    random = np.random.default_rng(0)
    nucleus = disc(31.5, 31.5, 8)
    reporter = background + level * disc(31.5, 31.5, 22) + level * (ratio - 1) * nucleus
    return np.stack([0.05 + 0.5 * nucleus, reporter]) + noise * random.normal(size=(2, 64, 64))


def spotted(places, deviation=1.5, noise=0.003):
    """The cell with Gaussian spots in place of a reporter."""
    image = cell(noise=noise)
    rows, columns = np.mgrid[:64, :64]
    image[1] = 0.05 + noise * np.random.default_rng(1).normal(size=(64, 64))
    for row, column in places:
        image[1] += 0.5 * np.exp(-0.5 * ((rows - row) ** 2 + (columns - column) ** 2) / deviation**2)
    return image


def sample(assay, count=160):
    indices = assay.indices("test")
    return indices[torch.linspace(0, len(indices) - 1, count).long()]


@pytest.mark.parametrize("ratio", [0.3, 1.0, 5.0])
def test_the_ratio_of_a_drawn_cell(ratio):
    row = Translocation(background=0.1).measure(cell(ratio, level=0.1))
    assert row["flag"] == ""
    assert row["translocation_ratio"] == pytest.approx(ratio, rel=0.02)
    assert row["nucleus_area_px"] == pytest.approx(np.pi * 64, rel=0.08)
    if ratio != 1:
        assert row["correlation"] * np.sign(ratio - 1) > 0.9


def test_the_ratio_does_not_change_with_gain_and_offset():
    image = cell(3.0)
    first = Translocation().measure(image)
    other = Translocation(saturation=np.inf).measure(5000 * image + 300)
    assert other["translocation_ratio"] == pytest.approx(first["translocation_ratio"])
    assert other["nuclear_mean"] == pytest.approx(5000 * first["nuclear_mean"])


def test_counts_and_floats_and_tensors_agree():
    image = cell(3.0)
    expected = Translocation().measure(image)["translocation_ratio"]
    for other in (np.rint(image * 60_000).astype(np.uint16), torch.from_numpy(image).float()):
        assert Translocation().measure(other)["translocation_ratio"] == pytest.approx(expected, rel=1e-3)


def test_channels_go_by_name():
    image = cell(2.0)
    three = np.stack([image[1], np.zeros((64, 64)), image[0]])
    assert Translocation(["reporter", "actin", "dna"]).measure(three) == Translocation().measure(image)


def test_spots_of_a_drawn_cell():
    places = [(20.2, 32.4), (32.4, 20.2), (44.2, 32.4), (32.4, 44.2)]
    row = GolgiSpots(spot_px=7.0).measure(spotted(places, deviation=2.0))
    assert (row["flag"], row["spots"]) == ("", 4)
    assert row["scatter_px"] == pytest.approx(12, abs=0.1)
    assert row["mean_spot_area_px"] == pytest.approx(2 * np.pi * np.log(2) * (2.0**2 + 0.5**2), rel=0.15)


def test_spots_of_another_cell_do_not_count():
    image = spotted([(25, 32), (60, 60)])
    image[0] += 0.5 * disc(56, 56, 7)
    assert GolgiSpots().measure(image)["spots"] == 1


def test_touching_nuclei_are_parted():
    dna = 0.05 + np.zeros((64, 64))
    for row, column in ((24, 32), (39, 32)):
        dna[ellipse(row, column, 8.5, 7)] = 0.5
    labels = NucleusSegmentation()(dna)
    assert labels.max() == 2
    assert labels[20, 32] != labels[43, 32]


def test_rings_and_cores_keep_to_their_nucleus():
    labels = np.zeros((64, 64), np.int32)
    labels[disc(31.5, 20, 8)], labels[disc(31.5, 40, 8)] = 1, 2
    around = ring(labels, 1.5, 3)
    assert not ((around > 0) & (labels > 0)).any()
    assert around[:, :30][around[:, :30] > 0].max() == 1
    inner = cores(labels, 2.0)
    assert (inner == 1).sum() == pytest.approx(np.pi * 36, rel=0.15)
    assert set(np.unique(cores(labels, 20.0))) == {0, 1, 2}  # what has no core is kept whole


def test_the_central_nucleus_is_the_nearest_to_the_middle():
    labels = np.zeros((64, 64), np.int32)
    labels[disc(10, 10, 6)], labels[disc(36, 36, 4)] = 1, 2
    assert central_label(labels, 8) == 2
    assert central_label(labels, 1) == 0


@pytest.mark.parametrize("measurement", MEASUREMENTS)
def test_what_cannot_be_measured_is_flagged_and_harms_no_other(measurement):
    good = spotted([(20, 32), (40, 40)])
    nan, constant, empty, shifted = good.copy(), good.copy(), good.copy(), np.roll(good, 25, axis=1)
    nan[1, 3, 3] = np.nan
    constant[1] = 0.2
    empty[0] = np.random.default_rng(2).normal(0.1, 0.01, (64, 64))
    border = good.copy()
    border[0] = np.maximum(border[0], 0.5 * disc(31, 31, 34))
    infinite = good.copy()
    infinite[0, 0, 0] = np.inf
    saturated = good.copy()
    saturated[1][disc(31.5, 31.5, 5)] = 1.2
    images = [good, nan, constant, empty, shifted, infinite, saturated, np.zeros((2, 64, 64)), good]
    table = measurement.table(images, index=list("abcdefghi"))
    flags = ["", "NaN pixels", "constant", "no_nucleus", "no_nucleus", "NaN pixels", "saturated", "constant", ""]
    assert table["flag"].tolist() == flags
    assert set(table["flag"]) <= set(FLAGS)
    values = table[list(measurement.values)]
    assert values[table["flag"] != ""].isna().all(axis=None)
    assert values.loc["a"].equals(values.loc["i"].rename("a"))
    assert not values.loc["a"].isna().any()


def test_a_cut_flat_nucleus_is_saturated_below_the_top_of_the_type():
    image = np.rint(255 * cell(3.0)).astype(np.uint8)
    image[1][disc(31.5, 31.5, 8)] = 140
    assert Translocation().measure(image)["flag"] == "saturated"
    assert Translocation(saturation=255).measure(image)["flag"] == ""
    assert Translocation(saturation=120).measure(image)["flag"] == "saturated"


def test_a_saturated_cytoplasm_is_flagged_and_what_is_far_from_the_cell_is_not():
    image = cell(0.5, background=0.0, level=0.9)
    image[1][disc(31.5, 31.5, 22) & ~disc(31.5, 31.5, 9)] = 1.0
    assert Translocation().measure(image)["flag"] == "saturated"
    corner = cell(0.5)
    corner[1][:6, :6] = 1.0
    assert Translocation().measure(corner)["flag"] == ""


def test_saturated_spots_are_flagged_wherever_they_lie():
    good = spotted([(20, 32), (40, 40)])
    bright = good.copy()
    bright[1] *= 4
    clipped, far = bright.clip(max=1.0), good.copy()
    far[1][:4, :4] = 1.0
    flags = GolgiSpots().table([good, clipped, bright.clip(max=2.5), far])["flag"].tolist()
    assert flags == ["", "saturated", "saturated", ""]


@pytest.mark.parametrize("measurement", MEASUREMENTS)
def test_lengths_grow_with_the_side_of_the_images(measurement):
    kind = TranslocationAssay if isinstance(measurement, Translocation) else GolgiAssay
    small, large = (kind("assay", size=size, clean=True) for size in (64, 128))
    chosen = sample(small, 60)
    expected = measured(measurement, small, chosen)
    lost = [
        (measured(method, large, chosen) - expected).abs().mean() for method in (measurement.sized(128), measurement)
    ]
    assert lost[0] < 0.7 * lost[1]
    assert measurement.sized(64) is measurement


def measured(measurement, assay, chosen):
    """The first value of each cell."""
    crops = assay.images(chosen).float()
    return measurement.calibrate(crops).table(crops)[measurement.values[0]]


def test_a_dim_image_of_few_levels_is_not_saturated():
    image = np.rint(16 * cell(2.0, background=0.05)).astype(np.uint8)
    assert Translocation().measure(image)["flag"] == ""


def test_dark_and_empty_cells_are_flagged():
    row = Translocation(background=0.9).measure(cell(2.0))
    assert row["flag"] == "dark"
    assert np.isnan(row["translocation_ratio"])
    row = GolgiSpots().measure(spotted([]))
    assert (row["flag"], row["spots"]) == ("no_spots", 0)
    assert np.isnan(row["mean_spot_area_px"])


def test_nuclei_at_the_border_are_flagged():
    assert Translocation().measure(cell()[:, 24:40])["flag"] == "cut_off"
    assert Translocation().measure(cell()[:, 16:48])["flag"] == ""


def test_a_field_gives_one_row_per_cell():
    rows = [np.concatenate([cell(left), cell(right)], axis=2) for left, right in ((1.0, 2.0), (3.0, 4.0))]
    field = np.concatenate(rows, axis=1)
    table = Translocation(background=0.1).measure_field(field)
    assert len(table) == 4
    table = table.round({"y": 0}).sort_values(["y", "x"])
    assert table["translocation_ratio"].round(0).tolist() == [1, 2, 3, 4]
    assert table["x"].to_numpy() == pytest.approx([31.5, 95.5, 31.5, 95.5], abs=0.5)
    nothing = Translocation().measure_field(np.zeros((2, 64, 64)))
    assert (len(nothing), nothing["flag"].item()) == (1, "constant")


def test_calibration_finds_the_background_of_crops_full_of_cells():
    full = cell(2.0)
    full[1] += 0.2 * ~disc(31.5, 31.5, 22)  # cells everywhere
    images = [full] * 20 + [cell(2.0)]
    assert Translocation().measure(full)["translocation_ratio"] > 10
    calibrated = Translocation().calibrate(images)
    assert calibrated.background == pytest.approx(0.1, abs=0.02)
    assert calibrated.measure(full)["translocation_ratio"] == pytest.approx(2, rel=0.1)


def test_frames_without_light_leave_the_background_of_the_others_as_it_is():
    cells, dead = [cell(2.0), cell(3.0)], np.zeros((2, 64, 64))
    without_reporter = np.stack([cell(2.0)[0], np.zeros((64, 64))])
    calibrated = Translocation(illumination_px=5.0).calibrate([dead, *cells, without_reporter])
    assert calibrated.background == Translocation().calibrate(cells).background
    assert np.isfinite(calibrated.illumination).all()
    assert Translocation().calibrate([dead + 0.3]).background == pytest.approx(0.3)  # where there is nothing else
    with pytest.raises(UserError, match="no image to calibrate with"):
        Translocation(illumination_px=5.0).calibrate([dead])


def test_illumination_is_corrected():
    ramp = np.linspace(0.5, 1.5, 64)[None, None]
    random = np.random.default_rng(3)
    images = []
    for _ in range(150):
        row, column = random.integers(0, 64, 2)
        image = np.roll(cell(2.0, background=0, noise=0), (row, column), (1, 2))
        images.append(image * ramp + 0.1 + 0.003 * random.normal(size=image.shape))
    corrected = Translocation(illumination_px=5.0).calibrate(images)
    middle = corrected.illumination[1][:, 16:48].mean(0)
    assert middle[-1] / middle[0] == pytest.approx(ramp[0, 0, 47] / ramp[0, 0, 16], rel=0.2)
    left, right = (cell(2.0, background=0) * ramp + 0.1, cell(2.0, background=0) * ramp[..., ::-1] + 0.1)
    means = [corrected.measure(image)["nuclear_mean"] for image in (left, right)]
    assert means[0] == pytest.approx(means[1], rel=0.05)


@pytest.mark.parametrize("clean", [True, False])
def test_translocation_agrees_with_the_truth(clean):
    assay = TranslocationAssay("assay", clean=clean)
    indices = sample(assay)
    truth, images = assay.table(indices), assay.images(indices)
    measured = Translocation().calibrate(images).table(images, truth.index)
    assert (measured["flag"] == "").mean() > 0.98
    rows = measured.index[measured["flag"] == ""]
    true, found = (np.log(table.loc[rows, "translocation_ratio"]) for table in (truth, measured))
    assert np.corrcoef(true, found)[0, 1] > 0.98
    # Blur and light from out of focus draw the ratio towards 1: a third too much at 0.6, a tenth too little at 6.
    bias = found - true
    assert bias[truth["dose"] == 0].median() == pytest.approx(0.28, abs=0.08)
    assert bias[truth["dose"] == 100].median() == pytest.approx(-0.06, abs=0.08)
    areas = measured.loc[rows, "nucleus_area_px"] / truth.loc[rows, "nucleus_area_px"]
    assert areas.median() == pytest.approx(1.07, abs=0.05)


@pytest.mark.parametrize("clean", [True, False])
def test_golgi_agrees_with_the_truth(clean):
    assay = GolgiAssay("assay", clean=clean)
    indices = sample(assay)
    truth, images = assay.table(indices), assay.images(indices)
    measured = GolgiSpots().calibrate(images).table(images, truth.index)
    rows = measured.index[measured["flag"] == ""]
    assert len(rows) > 0.98 * len(truth)
    both = {name: (truth.loc[rows, name], measured.loc[rows, name]) for name in GolgiSpots.values}
    correlation = {name: np.corrcoef(*pair)[0, 1] for name, pair in both.items()}
    assert correlation["spots"] > 0.96
    assert correlation["mean_spot_area_px"] > 0.83
    assert correlation["scatter_px"] > 0.96
    # Spots that overlap are counted as one, and are larger.
    assert (both["spots"][1] - both["spots"][0]).mean() == pytest.approx(-0.25, abs=0.2)
    assert (both["mean_spot_area_px"][1] / both["mean_spot_area_px"][0]).median() == pytest.approx(1.26, abs=0.1)
    assert (both["scatter_px"][1] / both["scatter_px"][0]).median() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("name", ["translocation", "golgi"])
def test_the_config_is_the_default(name):
    with initialize_config_dir(str(config_directory().absolute()), version_base="1.3"):
        node = OmegaConf.to_container(compose(overrides=[f"+measurement={name}"]).measurement)
    configured = instantiate(node, "measurement")
    default = {"translocation": Translocation, "golgi": GolgiSpots}[name]()
    ours, theirs = vars(configured), vars(default)
    assert vars(ours.pop("nuclei")) == vars(theirs.pop("nuclei"))
    assert ours == theirs
    with pytest.raises(UserError, match=r"measurement\.nuclei\.diameter_px=-1"):
        instantiate({**node, "nuclei": {**node["nuclei"], "diameter_px": -1}}, "measurement")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Translocation(["gfp", "dna"]), "no channel is named reporter"),
        (lambda: Translocation(ring=0), r"measurement\.ring=0"),
        (lambda: GolgiSpots(spot_px=-2), r"measurement\.spot_px=-2"),
        (lambda: Translocation(saturated_share=0), "saturated_share=0"),
        (lambda: Translocation().measure(np.zeros((3, 64, 64))), r"shape \(3, 64, 64\).*names 2"),
        (lambda: Translocation().calibrate([]), "no image to calibrate with"),
    ],
)
def test_mistakes_are_told(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.skipif(not DATA, reason="MICROGRAPHIA_DATA names no folder of the real sets")
def test_the_real_plate_shows_its_dose_response():
    root = Path(DATA or "") / "hcs" / "sbs_translocation"
    cells = pd.read_csv(root / "cells.csv")
    cells = cells[cells["dose"].isin([0, 2, 4, 6, 8, 10])].groupby("well").head(10).reset_index(drop=True)
    images = [read_image(root / file)[1] for file in cells["file"]]
    measurement = Translocation(["reporter", "dna"], NucleusSegmentation(diameter_px=14)).calibrate(images)
    cells = cells.join(measurement.table(images))
    assert (cells["flag"] == "").mean() > 0.9
    ratio = cells[cells["flag"] == ""].groupby("dose")["translocation_ratio"].median()
    assert ratio[0] < 0.75 < 1 < ratio[4] < 3 < ratio[6]
    assert ratio[[8, 10]].min() > 4
    wells = cells[cells["control"] != 0].groupby(["control", "well"])["translocation_ratio"].median()
    assert wells[-1].max() < wells[1].min()


@pytest.mark.parametrize("assay", [Translocation, GolgiSpots])
def test_measuring_keeps_subnormal_numbers_that_training_flushes(assay):
    # Else the k-d tree, by which local maxima are thinned out, calls itself until the process dies.
    seen = []

    class Watched(NucleusSegmentation):
        def __call__(self, dna):
            seen.append(flushes_subnormal())
            return super().__call__(dna)

    torch.set_flush_denormal(True)
    try:
        assay(nuclei=Watched()).measure(cell())
        assay(nuclei=Watched()).measure_field(cell())
        assert seen == [False, False]
        assert flushes_subnormal()
    finally:
        torch.set_flush_denormal(False)
