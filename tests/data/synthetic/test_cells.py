import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.data.synthetic.cell_factors import (
    FACTORS,
    KINDS,
    NUISANCES,
    WHOLE_NUMBERS,
    class_of,
    draw_cells,
    draw_truth,
)
from micrographia.data.synthetic.cell_rendering import render_cells
from micrographia.data.synthetic.cells import SyntheticCells
from micrographia.data.synthetic.index_numbers import uniform
from micrographia.errors import UserError

CELLS = SyntheticCells("cells")
PLAIN = {
    "shift_x": 0,
    "shift_y": 0,
    "red_cells": 0,
    "gradient_x": 0,
    "gradient_y": 0,
    "noise": 0,
    "blur": 0.002,
    "stain": 1,
}


def render(index, size=64, **values):
    """Images of the cell of an index without nuisances, but with some values that broadcast to ``(n,)``."""
    count = max(np.size(value) for value in values.values()) if values else 1
    cells = {name: np.repeat(numbers, count) for name, numbers in draw_cells(np.array([index]), 0).items()}
    cells |= {name: np.broadcast_to(np.asarray(value, float), count) for name, value in (PLAIN | values).items()}
    return render_cells(cells, size).astype(float) / 255


def absorbed(images):
    return (images.max((1, 2, 3), keepdims=True) - images).sum(1)


def centroid(image):
    weights = absorbed(image[None])[0]
    weights = weights * (weights > 0.3)
    places = (np.arange(image.shape[-1]) + 0.5) / image.shape[-1] - 0.5
    return np.average(places, weights=weights.sum(0)), np.average(places, weights=weights.sum(1))


@pytest.mark.parametrize("size", [64, 100])
def test_an_image_depends_on_its_index_only(size):
    cells = SyntheticCells("cells", size=size)
    indices = torch.tensor([5, 2999, 0, 17, 18, 19, 20, 1234, 700, 701, 702, 703, 704, 705, 706, 707, 708, 709, 710])
    together = cells.images(indices)
    assert together.dtype == torch.uint8
    assert together.shape == (19, 3, size, size)
    assert torch.equal(together, torch.cat([cells.images(index[None]) for index in indices]))
    assert torch.equal(together.flip(0), SyntheticCells("again", size=size).images(indices.flip(0)))


def test_another_seed_gives_other_cells():
    other = SyntheticCells("cells", seed=1)
    indices = torch.arange(6)
    assert not torch.equal(other.images(indices), CELLS.images(indices))
    assert not (other.table(indices)["diameter"] == CELLS.table(indices)["diameter"]).any()


def test_no_two_cells_are_the_same():
    assert len(CELLS.images(torch.arange(60)).flatten(1).unique(dim=0)) == 60


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=30), st.integers(0, 1000))
@settings(deadline=None)
def test_truth_lies_in_its_ranges_and_decides_the_class(indices, seed):
    truth = draw_truth(np.array(indices), seed)
    assert truth["class"].tolist() == class_of(truth).tolist()
    for (_, row), index in zip(truth.iterrows(), indices, strict=True):
        assert row["class"] == list(KINDS)[index % len(KINDS)]
        ranges = {factor: getattr(KINDS[row["class"]], factor) for factor in FACTORS} | NUISANCES
        assert all(low <= row[name] <= high for name, (low, high) in ranges.items())


def test_factors_are_uniform_and_nuisances_tell_nothing_of_the_class():
    truth = draw_truth(np.arange(30_000), 0)
    for name, (low, high) in NUISANCES.items():
        share = (truth[name] - low) / (high - low)
        assert share.mean() == pytest.approx(0.5, abs=0.02)
        assert share.groupby(truth["class"], observed=True).mean().to_numpy() == pytest.approx(0.5, abs=0.03)
    lobes = truth["lobes"][truth["class"] == "neutrophil"].value_counts(normalize=True)
    assert lobes.sort_index().to_dict() == pytest.approx({2: 1 / 3, 3: 1 / 3, 4: 1 / 3}, abs=0.03)


def test_random_numbers_are_uniform_and_uncorrelated():
    numbers = uniform(np.arange(20_000)[:, None], np.arange(6), 3)
    histogram = np.stack([np.histogram(stream, 20, (0, 1))[0] for stream in numbers.T])
    assert np.abs(histogram / 1000 - 1).max() < 0.15
    assert np.abs(np.corrcoef(numbers.T) - np.eye(6)).max() < 0.03
    assert abs(np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]) < 0.03


def test_the_cell_lies_where_its_shift_says():
    shifts = np.array([-0.1, 0.0, 0.1])
    for axis, name in enumerate(("shift_x", "shift_y")):
        places = [centroid(image)[axis] for image in render(0, **{name: shifts})]
        assert np.diff(places) == pytest.approx(0.1, abs=0.01)


def test_the_cell_covers_the_area_of_its_diameter():
    diameters = np.array([0.4, 0.55, 0.7])
    images = render(0, 128, diameter=diameters, elongation=1.1)
    areas = (absorbed(images) > 0.2).mean((1, 2))
    assert areas == pytest.approx(np.pi / 4 * diameters**2, rel=0.13)  # with the membrane


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_the_nucleus_grows_with_its_size(index):
    images = render(index, 128, nucleus_size=np.array([0.25, 0.4, 0.6]), granularity=0)
    areas = (images[:, 1] < 0.4).sum((1, 2))
    assert (np.diff(areas) > 0.15 * areas[0]).all()


def test_a_bay_makes_the_nucleus_less_convex():
    measure = pytest.importorskip("skimage.measure")
    images = render(1, 128, indentation=np.array([0.0, 0.6, 1.0]), granularity=0, chromatin=0)
    solidity = [measure.regionprops((image[1] < 0.4).astype(int))[0].solidity for image in images]
    assert solidity[0] > 0.95
    assert solidity[0] > solidity[1] + 0.02 > solidity[2] + 0.04


def test_lobes_show_in_the_outline_of_the_nucleus():
    measure = pytest.importorskip("skimage.measure")
    images = render(3, 128, lobes=np.array([1, 2, 3, 4]), indentation=0, granularity=0, nucleus_size=0.3, chromatin=0)
    solidity = [measure.regionprops((image[1] < 0.4).astype(int))[0].solidity for image in images]
    assert solidity[0] > 0.95
    assert max(solidity[1:]) < 0.93


def test_basophilia_turns_the_cytoplasm_blue():
    images = render(1, basophilia=np.array([0.0, 0.5, 1.0]), granularity=0, nucleus_size=0.2, diameter=0.8)
    red_minus_blue = (images[:, 0] - images[:, 2]).mean((1, 2))
    assert (np.diff(red_minus_blue) < -0.02).all()


def test_granules_add_colour_and_texture():
    images = render(3, granularity=np.array([0.0, 0.5, 1.0]), granule_basophilia=0, nucleus_size=0.1)
    blue = absorbed(images[:, 2:]).mean((1, 2))
    assert (np.diff(blue) > 0.2 * blue[0]).all()
    violet = render(3, granularity=1, granule_basophilia=np.array([0.0, 1.0]), nucleus_size=0.1)
    assert violet[1, 0].mean() < violet[0, 0].mean() - 0.03


def test_a_turned_cell_is_the_turned_image():
    one, turned = render(1, 64, orientation=np.array([0.0, np.pi / 2]))
    assert np.abs(np.rot90(one, -1, axes=(1, 2)) - turned).mean() < 0.01
    assert np.abs(one - turned).mean() > 0.02


def test_blur_and_noise_change_sharpness_and_grain():
    sharpness = [np.abs(np.diff(image, axis=-1)).mean() for image in render(3, blur=np.array([0.002, 0.0135]))]
    assert sharpness[1] < 0.8 * sharpness[0]
    clean, grainy = render(3, noise=np.array([0.0, 0.03]), illumination=0.9)
    corner = (slice(None), slice(0, 10), slice(0, 10))
    assert clean[corner].std((1, 2)).max() < 0.005
    assert (grainy - clean)[corner].std() == pytest.approx(0.03 * np.sqrt(0.9 * 0.965), rel=0.15)


def test_red_cells_lie_beside_the_cell():
    none, two = render(0, red_cells=np.array([0, 2]), diameter=0.45)
    changed = np.abs(two - none).max(0) > 0.02
    middle = np.hypot(*(np.mgrid[0:64, 0:64] - 31.5)) < 0.2 * 64
    assert 0.02 < changed.mean() < 0.4
    assert not changed[middle].any()


def test_parts_follow_each_other_and_hold_all_classes_equally():
    parts = [CELLS.indices(part) for part in ("train", "val", "test")]
    assert [len(part) for part in parts] == [2100, 450, 450]
    assert torch.equal(torch.cat(parts), torch.arange(3000))
    for part in parts:
        assert (torch.bincount(CELLS.targets(part)) == len(part) // 6).all()


def test_targets_are_the_classes_of_the_table():
    indices = torch.tensor([7, 100, 2])
    assert [CELLS.classes[target] for target in CELLS.targets(indices)] == CELLS.table(indices)["class"].tolist()
    assert CELLS.table(indices).index.tolist() == [7, 100, 2]
    assert list(CELLS.table(indices).columns) == ["class", *FACTORS, *NUISANCES]
    assert (CELLS.table(indices)[list(WHOLE_NUMBERS)].dtypes == np.int64).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fractions": {"train": 0.9}}, r"sum to 1\.2, not to 1"),
        ({"fractions": {"validation": 0.1}}, r"data\.fractions\.validation: no such part"),
        ({"count": 20}, r"data\.count=20: the parts get 14, 3 and 3 cells"),
        ({"size": 8}, r"data\.size=8"),
        ({"seed": -1}, r"data\.seed=-1"),
    ],
)
def test_mistakes_are_told(arguments, message):
    with pytest.raises(UserError, match=message):
        SyntheticCells("cells", **arguments)


def test_cells_outside_the_set_are_errors():
    with pytest.raises(IndexError):
        CELLS.images(torch.tensor([3000]))


def test_a_cell_is_what_its_factors_say():
    indices = torch.arange(40)
    truth = CELLS.table(indices)[list(FACTORS)]
    assert torch.equal(CELLS.of_factors(truth), CELLS.images(indices))
    assert not torch.equal(CELLS.of_factors(truth.assign(basophilia=1.0)), CELLS.images(indices))


def test_drawn_factors_are_spread_as_over_the_set_and_independent_of_each_other():
    drawn = CELLS.draw_factors(4000, np.random.default_rng(0))
    known = CELLS.table(torch.arange(len(CELLS)))[list(FACTORS)]
    assert drawn.index.min() >= len(CELLS)
    assert np.abs(drawn.mean() - known.mean()).max() < 0.03 * known.std().max()
    assert np.abs(np.corrcoef(drawn.T.to_numpy()) - np.eye(len(FACTORS))).max() < 0.08
    assert abs(known.corr().loc["lobes", "nucleus_size"]) > 0.5  # which they are not in the set
    assert drawn.equals(CELLS.draw_factors(4000, np.random.default_rng(0)))
