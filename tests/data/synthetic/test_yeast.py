import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from skimage.measure import euler_number, label

from micrographia.data.datamodule import unit_range
from micrographia.data.synthetic.yeast import SimulatedYeast
from micrographia.data.synthetic.yeast_factors import KINDS, RECIPE
from micrographia.measure.features import hand_made_features

CLEAN = SimulatedYeast("yeast", nuisance=0)
NAMES = list(KINDS)
MEMBRANE, BRIGHTFIELD, LUMEN = range(3)


def rendered(state, size=64, index=0, **values):
    """Images ``(n, 3, size, size)`` in 0..1 of one clean cell of a state, with values that broadcast to n."""
    count = max((np.size(value) for value in values.values()), default=1)
    number = NAMES.index(state) + index * len(NAMES)
    cells = {name: np.repeat(drawn, count) for name, drawn in RECIPE.draw(np.array([number]), 0, 0).items()}
    cells |= {name: np.broadcast_to(np.asarray(value, float), count) for name, value in values.items()}
    return SimulatedYeast("yeast", size).rendered(cells).numpy() / 255


def of_state(state, count):
    return torch.arange(NAMES.index(state), count * len(NAMES), len(NAMES))


def test_channels_are_named():
    assert CLEAN.channels == ("membrane", "brightfield", "lumen")
    assert len(CLEAN.channels) == CLEAN.shape[0]


def test_measured_area_follows_the_cell():
    indices = torch.arange(60)
    truth = CLEAN.table(indices)
    images = unit_range(CLEAN.images(indices)).numpy()
    # An unstained cell glows a little, which tells it from the medium.
    found = hand_made_features(images, images[:, LUMEN] > 0.04, CLEAN.channels)
    cells = np.pi / 4 * 64**2 * truth["diameter"] ** 2 * (1 + truth["bud_size"] ** 2)
    assert spearmanr(cells, found["area"])[0] > 0.97
    assert np.median(found["area"] / cells) == pytest.approx(1, abs=0.08)


def test_measured_lumen_follows_the_vacuole():
    indices = of_state("positive", 40)
    truth = CLEAN.table(indices)
    found = hand_made_features(unit_range(CLEAN.images(indices)).numpy()[:, [LUMEN]])
    area = np.pi / 4 * 64**2 * truth["diameter"] ** 2 * truth["vacuole_size"]
    assert spearmanr(area, found["area"])[0] > 0.9
    assert spearmanr(truth["lumen"], found["mean_0"])[0] > 0.9


@pytest.mark.parametrize(("state", "agreement"), [("multiple", 0.8), ("positive", 1), ("condensed", 1)])
def test_vacuoles_can_be_counted(state, agreement):
    indices = of_state(state, 30)
    cells = SimulatedYeast("yeast", size=128, nuisance=0)
    lumen = unit_range(cells.images(indices)).numpy()[:, LUMEN]
    counted = [label(image > 0.6 * image.max()).max() for image in lumen]
    assert np.mean(counted == cells.table(indices)["vacuoles"]) >= agreement


def test_a_ring_is_a_ring_and_a_patch_is_none():
    ring, patch = rendered("positive", 128, condensed_fraction=np.array([0, 1]), ring_intensity=1, diffuse=0)[
        :, MEMBRANE
    ]
    assert euler_number(ring > 0.4) == 0
    assert euler_number(patch > 0.4) == 1
    assert (patch > 0.4).sum() < (ring > 0.4).sum()


def test_measured_light_follows_ring_intensity_and_diffuse_dye():
    for state, factor in (("positive", "ring_intensity"), ("negative", "diffuse")):
        indices = of_state(state, 40)
        images = unit_range(CLEAN.images(indices)).numpy()
        found = hand_made_features(images, images[:, LUMEN] > 0.04, CLEAN.channels)
        brightest = images[:, MEMBRANE].max((1, 2)) if state == "positive" else found["mean_membrane"]
        assert spearmanr(CLEAN.table(indices)[factor], brightest)[0] > 0.9


def test_states_are_told_apart_by_their_membrane():
    mean = {}
    for state in NAMES:
        images = unit_range(CLEAN.images(of_state(state, 30))).numpy()[:, MEMBRANE]
        high = images > 0.4
        mean[state] = high.sum((1, 2)).mean()
    assert mean["multiple"] > mean["positive"] > mean["condensed"] > 0


@pytest.mark.parametrize(
    ("factor", "channels"),
    [
        ("ring_intensity", {MEMBRANE}),
        ("condensed_fraction", {MEMBRANE}),
        ("lumen", {LUMEN}),
        ("diffuse", {MEMBRANE, BRIGHTFIELD, LUMEN}),
        ("vacuole_size", {MEMBRANE, BRIGHTFIELD, LUMEN}),
        ("focus", {BRIGHTFIELD}),
    ],
)
def test_what_is_set_shows_in_its_channels_only(factor, channels):
    one, other = (
        rendered("positive", **{factor: np.array([0.2, 0.8])}, lumen=0.5)
        if factor != "lumen"
        else rendered("positive", lumen=np.array([0.2, 0.8]))
    )
    assert {channel for channel in range(3) if (one[channel] != other[channel]).any()} == channels


def test_a_bud_makes_the_cell_longer_and_keeps_it_in_the_middle():
    images = rendered("positive", bud_size=np.array([0.0, 0.4, 0.65]), diameter=0.45, bud_angle=0.3, elongation=1)
    found = hand_made_features(images, images[:, LUMEN] > 0.04)
    assert (np.diff(found["elongation"]) > 0.05).all()
    assert (np.diff(found["area"]) > 100).all()
    assert np.abs(found[["position_x", "position_y"]] - 0.5).max(axis=None) < 0.1


def test_out_of_focus_light_and_dark_change_places():
    sharp, beyond = rendered("positive", focus=np.array([1.0, -0.5]), vacuole_size=0.15)[:, BRIGHTFIELD]
    inside = unit_range(torch.from_numpy(rendered("positive")[0, LUMEN])).numpy() > 0.04
    assert sharp[inside].mean() < 0.5 < beyond[inside].mean()


def test_neighbours_lie_outside():
    none, two = rendered("positive", neighbours=np.array([0, 2]), diameter=0.42)
    changed = np.abs(two - none).max(0) > 0.02
    assert 0.02 < changed.mean() < 0.5
    assert not changed[24:40, 24:40].any()
