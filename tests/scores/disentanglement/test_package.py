"""What holds for the scores together: what they import, what they return, how much memory they take."""

import inspect
import re
import subprocess
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from micrographia.scores import disentanglement
from micrographia.scores.disentanglement import dci, mig, omes, sap, udr

ALONE = """
import sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchmetrics", "lightning", "pytorch_lightning", "hydra", "omegaconf"}:
            raise ImportError(name + " must not be needed")

sys.meta_path.insert(0, Refusal())
import numpy
from micrographia.scores.disentanglement import *
factors = numpy.random.default_rng(0).integers(0, 4, (300, 2))
world = DiscreteFactors({"a": 3, "b": 4}, lambda values: values * 1.0)
for score in (mig, sap, dci, modularity, explicitness):
    score(factors * 1.0, factors)
for score in (beta_vae_score, factor_vae_score, irs, omes):
    score(world)
print("done")
"""


def test_needs_no_torch_lightning_or_hydra():
    ran = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True)
    assert ran.stdout == "done\n", ran.stderr


SCORES = [name for name in disentanglement.__all__ if inspect.isfunction(getattr(disentanglement, name))]


@pytest.mark.parametrize("name", [name for name in SCORES if name not in ("association", "mutual_information")])
def test_a_score_says_what_it_measures_its_range_shapes_source_and_failure(name):
    text = " ".join(getattr(disentanglement, name).__doc__.split())
    for part in (r"cores? (in|from|with|each)", r"is better", r"shape ``|Draws factors", r"\d{4}[,)]", "Known failure"):
        assert re.search(part, text), part
    assert ">>>" in text


@pytest.mark.parametrize("name", ["mig", "sap", "modularity", "explicitness"])
def test_parts_bear_the_names_of_the_tables(name, kinds, truth):
    result = getattr(disentanglement, name)(kinds["noisy"], truth)
    assert list(result.per_factor.index) == list(truth)
    assert list(result.per_latent.index) == list(kinds["noisy"])
    assert result.per_factor.name
    assert result.per_latent.name
    pd.testing.assert_index_equal(result.matrix.index, kinds["noisy"].columns)
    pd.testing.assert_index_equal(result.matrix.columns, truth.columns)


@pytest.mark.parametrize("name", ["beta_vae_score", "factor_vae_score", "irs", "omes"])
def test_parts_of_a_sampler_bear_its_names(name, worlds):
    result = getattr(disentanglement, name)(worlds["noisy"])
    assert list(result.per_factor.index) == list(result.matrix.columns) == list(worlds["noisy"].sizes)
    assert list(result.per_latent.index) == list(result.matrix.index) == ["z0", "z1", "z2", "z3"]


def test_a_large_set_is_never_copied_in_double_precision():
    generator = np.random.default_rng(0)
    codes = generator.standard_normal((200_000, 10), dtype=np.float32)
    factors = np.column_stack([generator.integers(0, size, 200_000, dtype=np.int16) for size in (5, 7, 3, 6, 40)])
    pairs = dict.fromkeys("abcde", (codes, codes[:, ::-1]))
    copy = codes.size * 8 / 2**20
    # SAP keeps each latent's cells, as integers of 8 bytes; the others take less than a copy, which they must not make.
    for most, work in (
        (copy, lambda: mig(codes, factors)),
        (2.2 * copy, lambda: sap(codes, factors)),
        (0.7 * copy, lambda: omes(pairs)),
    ):
        tracemalloc.start()
        work()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak / 2**20 < most


def test_no_score_changes_its_arguments(kinds, truth):
    codes, factors = kinds["noisy"].copy(), truth.copy()
    for work in (mig, sap, lambda *given: dci(*given, trees=1), lambda *given: udr({"a": given[0], "b": given[0]})):
        work(codes, factors)
    pd.testing.assert_frame_equal(codes, kinds["noisy"])
    pd.testing.assert_frame_equal(factors, truth)


@pytest.mark.parametrize("name", ["mig", "sap", "modularity", "explicitness", "dci"])
def test_a_table_with_an_index_of_its_own_goes_with_an_array(name, kinds, truth):
    codes = kinds["noisy"].iloc[::-1].set_axis(np.arange(1000, 1000 + len(truth)), axis=0)
    score = getattr(disentanglement, name)
    given = {"trees": 2} if name == "dci" else {}
    mixed = score(codes, truth.to_numpy()[::-1], n_bootstrap=2, **given)
    pd.testing.assert_frame_equal(
        mixed.intervals, score(codes.to_numpy(), truth.to_numpy()[::-1], n_bootstrap=2, **given).intervals
    )


@pytest.mark.parametrize("name", ["beta_vae_score", "factor_vae_score", "irs", "omes"])
def test_a_constant_factor_of_a_sampler_is_left_out(name, worlds):
    world = worlds["noisy"]
    more = disentanglement.DiscreteFactors({**world.sizes, "Plate": 1}, lambda values: world.encoder(values[:, :4]))
    score = getattr(disentanglement, name)
    found = score(more)
    assert found.score == pytest.approx(score(world).score, abs=0.05)
    assert np.isnan(found.per_factor.get("Plate", np.nan))


@pytest.mark.parametrize("name", ["beta_vae_score", "factor_vae_score", "irs"])
def test_one_factor_leaves_nothing_to_tell_apart(name):
    world = disentanglement.DiscreteFactors({"Shape": 4}, lambda values: values @ np.array([[1.0, 0.3]]))
    found = getattr(disentanglement, name)(world)
    assert np.isnan(found.score)
    assert found.undefined == "one factor: nothing to tell apart"
