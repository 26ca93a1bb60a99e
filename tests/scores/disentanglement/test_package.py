"""What holds for the scores together: what they import, what they return, how much memory they take."""

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


def test_everything_exported_is_documented():
    for name in disentanglement.__all__:
        assert getattr(disentanglement, name).__doc__


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
    for work in (lambda: mig(codes, factors), lambda: sap(codes, factors), lambda: omes(pairs)):
        tracemalloc.start()
        work()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # SAP keeps each latent's cells, as integers of 8 bytes.
        assert peak < 30 * 2**20


def test_no_score_changes_its_arguments(kinds, truth):
    codes, factors = kinds["noisy"].copy(), truth.copy()
    for work in (mig, sap, lambda *given: dci(*given, trees=1), lambda *given: udr({"a": given[0], "b": given[0]})):
        work(codes, factors)
    pd.testing.assert_frame_equal(codes, kinds["noisy"])
    pd.testing.assert_frame_equal(factors, truth)
