"""What all sets of simulated objects promise, cells, plankton and yeast alike."""

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from scipy.stats import spearmanr

from micrographia.config import config_directory, instantiate
from micrographia.data.synthetic import cell_factors, plankton_factors, yeast_factors
from micrographia.data.synthetic.cells import SyntheticCells
from micrographia.data.synthetic.plankton import SimulatedPlankton
from micrographia.data.synthetic.yeast import SimulatedYeast
from micrographia.errors import UserError

SETS = {
    "cells": (SyntheticCells, cell_factors),
    "plankton": (SimulatedPlankton, plankton_factors),
    "yeast": (SimulatedYeast, yeast_factors),
}
SCATTERED = torch.tensor([5, 2399, 0, 17, 18, 19, 20, 1234, 700, 701, 702, 703, 704, 705, 706, 707, 708, 709, 710])
# Two factors that vary within every class, and a nuisance.
LINKED = {"cells": ("diameter", "chromatin"), "plankton": ("length", "opacity"), "yeast": ("diameter", "lumen")}

every_set = pytest.mark.parametrize("name", SETS)
new_sets = pytest.mark.parametrize("name", ["plankton", "yeast"])


def made(name, **arguments):
    return SETS[name][0](name, **{"count": 2400, **arguments})


@every_set
@pytest.mark.parametrize("size", [16, 33, 64])
@pytest.mark.parametrize("options", [{}, {"nuisance": 0.3}])
def test_an_image_depends_on_its_index_only(name, size, options):
    objects = made(name, size=size, correlation={LINKED[name][0]: {"blur": 0.5}}, **options)
    together = objects.images(SCATTERED)
    assert together.dtype == torch.uint8
    assert together.shape == (19, 3, size, size)
    assert torch.equal(together, torch.cat([objects.images(index[None]) for index in SCATTERED]))
    assert torch.equal(together.flip(0), objects.images(SCATTERED.flip(0)))


@every_set
def test_chunks_join_without_a_seam_and_none_is_none(name):
    objects = made(name, size=32)
    indices = torch.arange(200)
    assert torch.equal(objects.images(indices)[150:], objects.images(indices[150:]))
    assert objects.images(indices[:0]).shape == (0, 3, 32, 32)
    assert len(objects.table(indices[:0])) == 0


@every_set
def test_no_two_are_the_same_and_another_seed_gives_others(name):
    objects, others = made(name), made(name, seed=1)
    indices = torch.arange(60)
    assert len(objects.images(indices).flatten(1).unique(dim=0)) == 60
    factor = LINKED[name][0]
    assert not (objects.table(indices)[factor] == others.table(indices)[factor]).any()
    assert not torch.equal(objects.images(indices), others.images(indices))


@every_set
@given(
    indices=st.lists(st.integers(0, 2**40), min_size=1, max_size=30), seed=st.integers(0, 1000), strong=st.booleans()
)
@settings(deadline=None, max_examples=40)
def test_truth_lies_in_its_ranges_and_decides_the_class(name, indices, seed, strong):
    module = SETS[name][1]
    recipe = module.RECIPE
    link = recipe.correlation({LINKED[name][0]: {LINKED[name][1]: 0.9}}) if strong else None
    truth = recipe.table(np.array(indices), seed, 1.0 if strong else 0.4, link)
    assert truth["class"].tolist() == module.class_of(truth).tolist()
    columns = [*recipe.factors, *recipe.nuisances]
    low, high = (ends[np.array(indices) % len(recipe.classes), : len(columns)] for ends in recipe.limits)
    clean = np.array([recipe.clean.get(column, np.nan) for column in columns])  # weaker ones lie between it and theirs
    values = truth[columns].to_numpy(np.float64)
    assert (values >= np.fmin(low, clean)).all()
    assert (values <= np.fmax(high, clean)).all()


@every_set
def test_targets_and_parts_are_those_of_the_table(name):
    objects = made(name)
    count = len(objects.classes)
    parts = [objects.indices(part) for part in ("train", "val", "test")]
    assert torch.equal(torch.cat(parts), torch.arange(2400))
    assert all((torch.bincount(objects.targets(part)) == len(part) // count).all() for part in parts)
    table = objects.table(SCATTERED)
    assert [objects.classes[target] for target in objects.targets(SCATTERED)] == table["class"].tolist()
    assert table.index.tolist() == SCATTERED.tolist()
    assert list(table.columns) == ["class", *objects.recipe.factors, *objects.recipe.nuisances]
    with pytest.raises(IndexError, match="2400"):
        objects.images(torch.tensor([2400]))


@every_set
def test_nuisances_tell_nothing_of_the_class(name):
    truth = SETS[name][1].RECIPE.table(np.arange(24_000), 0)
    for nuisance, (low, high) in SETS[name][1].NUISANCES.items():
        share = (truth[nuisance] - low) / (high - low)
        assert share.groupby(truth["class"], observed=True).mean().to_numpy() == pytest.approx(0.5, abs=0.03)


@every_set
def test_without_nuisances_what_disturbs_is_constant_and_the_ground_even(name):
    objects = made(name, nuisance=0, size=48)
    table = objects.table(torch.arange(120))
    clean = objects.recipe.clean
    assert (table[list(clean)] == list(clean.values())).all(axis=None)
    free = [nuisance for nuisance in objects.recipe.nuisances if nuisance not in clean]
    assert table[free].nunique().min() > 100
    corners = objects.images(torch.arange(120))[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].float()
    # A cell or a spine may reach a corner of a few images.
    assert (corners.std(2) > 1).float().mean() < 0.1


@every_set
def test_a_weaker_nuisance_changes_less(name):
    clean, weak, strong = (made(name, nuisance=strength).images(SCATTERED).float() for strength in (0, 0.2, 1))
    assert torch.equal(strong, made(name).images(SCATTERED).float())
    assert 0 < (weak - clean).abs().mean() < 0.6 * (strong - clean).abs().mean()


@every_set
@pytest.mark.parametrize("rank", [-0.7, 0.4, 0.9])
def test_correlations_hold_within_each_class(name, rank):
    first, second = LINKED[name]
    objects = made(name, count=12_000, correlation={first: {second: rank, "blur": -rank / 4}})
    plain = made(name, count=12_000)
    table, former = objects.table(torch.arange(12_000)), plain.table(torch.arange(12_000))
    for _, rows in table.groupby("class", observed=True):
        assert spearmanr(rows[first], rows[second])[0] == pytest.approx(rank, abs=0.07)
        assert spearmanr(rows[first], rows["blur"])[0] == pytest.approx(-rank / 4, abs=0.07)
    others = [column for column in table if column not in (second, "blur")]
    assert table[others].equals(former[others])


@every_set
def test_an_object_is_what_its_factors_say(name):
    objects = made(name, size=32)
    indices = torch.arange(48)
    truth = objects.table(indices)[list(objects.recipe.factors)]
    assert torch.equal(objects.of_factors(truth), objects.images(indices))
    assert objects.intervenable


@every_set
def test_drawn_factors_are_spread_as_over_the_set_and_independent_of_each_other(name):
    objects = made(name)
    drawn = objects.draw_factors(4000, np.random.default_rng(0))
    known = objects.table(torch.arange(2400))[list(objects.recipe.factors)]
    assert drawn.index.min() >= len(objects)
    assert (np.abs(drawn.mean() - known.mean()) < 0.08 * known.std() + 1e-9).all()
    varying = known.columns[known.std() > 0]
    assert np.abs(np.corrcoef(drawn[varying].T.to_numpy()) - np.eye(len(varying))).max() < 0.08
    assert drawn.equals(objects.draw_factors(4000, np.random.default_rng(0)))
    assert objects.of_factors(drawn[:20]).float().std() > 0


@new_sets
def test_an_intervention_changes_the_image_and_its_absence_does_not(name):
    objects = made(name, size=48)
    drawn = objects.draw_factors(60, np.random.default_rng(1))
    before = objects.of_factors(drawn)
    for factor in drawn:
        low, high = (drawn[factor].quantile(share) for share in (0, 1))
        after = objects.of_factors(drawn.assign(**{factor: drawn[factor].where(drawn[factor] != high, low) * 0 + high}))
        changed = (after != before).flatten(1).any(1).numpy()
        same = (drawn[factor] == high).to_numpy()
        assert not changed[same].any(), factor
        assert changed[~same].any(), factor


@every_set
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fractions": {"train": 0.9}}, r"sum to 1\.2, not to 1"),
        ({"fractions": {"validation": 0.1}}, r"data\.fractions\.validation: no such part"),
        ({"count": 20}, r"data\.count=20: the parts get 14, 3 and 3 .* and each needs at least"),
        ({"size": 8}, r"data\.size=8: .* need at least 16 pixels a side"),
        ({"seed": -1}, r"data\.seed=-1: expected"),
        ({"nuisance": 1.5}, r"data\.nuisance=1\.5: expected a number from 0 to 1"),
        ({"nuisance": float("nan")}, r"data\.nuisance=nan: expected"),
        ({"correlation": {"blurr": {"blur": 0.5}}}, r"data\.correlation\.blurr: nothing is called blurr"),
        ({"correlation": {"noise_start": {"blur": 0.5}}}, r"data\.correlation\.noise_start: nothing"),
    ],
)
def test_mistakes_are_told(name, arguments, message):
    with pytest.raises(UserError, match=message):
        made(name, **arguments)


@every_set
def test_its_config_makes_the_default(name):
    with initialize_config_dir(str(config_directory().absolute()), version_base="1.3"):
        config = compose(overrides=[f"+data=synthetic/{name}", "data.correlation={orientation: {blur: 0.5}}"])
    objects = instantiate(OmegaConf.to_container(config.data, resolve=True), "data")
    default = SETS[name][0](name, correlation={"orientation": {"blur": 0.5}})
    assert objects.name == name
    assert len(objects) == len(default)
    assert torch.equal(objects.images(torch.arange(12)), default.images(torch.arange(12)))
    with pytest.raises(UserError, match=r"data\.correlation"):
        instantiate({**config.data, "correlation": {"blur": 0.5}}, "data")
