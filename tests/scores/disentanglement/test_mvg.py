"""Measured variance gap: known answers of decoders whose latents do what is wanted, and nothing else."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.scores.disentanglement import mvg
from micrographia.scores.disentanglement.mvg import distinct_traits

STEPS = 9
QUANTILES = (np.arange(STEPS) + 0.5) / STEPS
FEATURES = ("area", "red", "angle")
PERIODS = {"angle": 180.0}


def measured(codes):
    """Features that codes in 0..1 decode to: monotone, of unlike units, one of them an angle."""
    return pd.DataFrame({"area": 100 * codes[:, 0] ** 3, "red": 1 - codes[:, 1], "angle": 180 * codes[:, 2]})


def traversed(decode, latents=3, images=6, seed=0):
    """Features of images whose latents are moved, one at a time, through 0..1."""
    bases = np.random.default_rng(seed).random((images, latents))
    codes = np.tile(bases[:, None, None], (1, latents, STEPS, 1))
    for latent in range(latents):
        codes[:, latent, :, latent] = QUANTILES
    names = [range(images), [f"z{latent}" for latent in range(latents)], range(STEPS)]
    index = pd.MultiIndex.from_product(names, names=["image", "latent", "step"])
    return decode(codes.reshape(-1, latents)).set_axis(index)


@pytest.fixture(scope="module")
def real():
    return measured(np.random.default_rng(1).random((800, 3)))


def rotated(codes):
    """Each feature hangs on two latents."""
    mixed = (codes + codes[:, [1, 2, 0]]) / 2
    return measured(mixed)


def test_latents_that_move_one_trait_each_score_near_1(real):
    result = mvg(traversed(measured), real, PERIODS)
    assert result.score == pytest.approx(1.0, abs=0.03)
    assert result.per_latent.to_numpy() == pytest.approx(1.0, abs=0.05)
    assert result.matrix.loc["z0"].idxmax() == "area"
    assert result.matrix.to_numpy()[~np.eye(3, dtype=bool)] == pytest.approx(0.0, abs=1e-12)


def test_a_decoder_that_ignores_its_code_scores_0(real):
    result = mvg(traversed(lambda codes: measured(0 * codes + 0.3)), real, PERIODS)
    assert result.score == 0
    assert (result.matrix.to_numpy() == 0).all()


def test_the_share_of_variance_is_the_total_effect(real):
    """Ranks of what is uniform are the values: of a mean of two latents, each alone moves a quarter of the variance."""
    result = mvg(traversed(rotated), real, PERIODS)
    assert result.matrix.loc[["z1", "z2"], "red"].to_numpy() == pytest.approx(0.25, abs=0.02)
    assert result.score < 0.1


def test_duplicated_latents_have_no_gap_but_are_specific(real):
    result = mvg(traversed(lambda codes: measured((codes[:, :3] + codes[:, 3:]) % 1), 6), real, PERIODS)
    assert result.score == pytest.approx(0.0, abs=0.1)
    assert result.per_latent.min() > 0.9


def test_small_moves_count_by_their_share_of_what_real_images_differ(real):
    small = mvg(traversed(lambda codes: measured(0.45 + 0.1 * codes)), real, PERIODS)
    assert 0.005 < small.per_factor["red"] < 0.02


@settings(max_examples=20, deadline=None)
@given(power=st.floats(0.3, 4), scale=st.floats(0.01, 1000), shift=st.floats(-100, 100))
def test_units_and_monotone_maps_of_features_do_not_matter(power, scale, shift):
    moved, real = traversed(rotated), measured(np.random.default_rng(1).random((200, 3)))
    bent = [table.assign(area=shift + scale * (table["area"] / 100) ** power) for table in (moved, real)]
    assert mvg(*bent, PERIODS).score == pytest.approx(mvg(moved, real, PERIODS).score, abs=0.02)


def test_features_that_real_images_have_in_common_are_one_trait(real):
    def wider(codes):
        found = measured(codes)
        return found.assign(perimeter=found["area"] ** 0.5, flat=1.0)

    everything = wider(np.random.default_rng(1).random((300, 3)))
    traits = distinct_traits(everything, PERIODS)
    assert sorted(traits) in (["angle", "area", "red"], ["angle", "perimeter", "red"])
    assert "flat" not in traits
    assert mvg(traversed(wider), everything, PERIODS).score > 0.95


def test_ways_without_objects_are_left_out_and_nothing_measured_is_nothing_moved(real):
    moved = traversed(measured)
    lost = moved.copy()
    lost.loc[[0, 1]] = np.nan
    assert mvg(lost, real, PERIODS).score == pytest.approx(1.0, abs=0.03)
    nothing = mvg(moved * np.nan, real, PERIODS)
    assert nothing.score == 0
    assert nothing.settings["measured"] == 0


def test_intervals_hold_the_score(real):
    bounded = mvg(traversed(rotated, images=20), real, PERIODS, n_bootstrap=50)
    low, high = bounded.intervals.loc["score"]
    assert low <= bounded.score <= high
    assert set(bounded.intervals.index) == {"score", *FEATURES}


def test_tables_that_do_not_fit_are_refused(real):
    with pytest.raises(ValueError, match="columns of real"):
        mvg(traversed(measured).rename(columns={"red": "green"}), real)
    with pytest.raises(ValueError, match="the index image, latent, step"):
        mvg(real, real)
    with pytest.raises(ValueError, match="no feature varies"):
        mvg(traversed(measured), real * 0)
