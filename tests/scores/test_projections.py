import builtins
import importlib.util

import numpy as np
import pandas as pd
import pytest

from micrographia.errors import UserError
from micrographia.scores.projections import principal_components, project, t_sne, umap

needs_umap = pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="micrographia[umap] is not installed")


def codes(count=60, latents=5, seed=0):
    generator = np.random.default_rng(seed)
    values = generator.normal(3, 1, (count, latents)) @ generator.normal(size=(latents, latents))
    return pd.DataFrame(values, columns=[f"z{number}" for number in range(latents)]).set_index(
        pd.Index(range(100, 100 + count), name="item")
    )


def groups(count=30):
    """Two groups far apart in five latents."""
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(2 * count, 5))).add_prefix("z")
    table.iloc[count:] += 30
    return table


def split(points, count=30):
    """Distance between the groups' means in units of the spread within them."""
    one, other = points.iloc[:count], points.iloc[count:]
    return np.linalg.norm(one.mean() - other.mean()) / np.sqrt(one.var().sum() + other.var().sum())


def test_components_are_those_of_the_singular_value_decomposition():
    table = codes()
    found = principal_components(table, 3)
    centred = table - table.mean()
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(found.explained, (sizes**2 / (sizes**2).sum())[:3])
    np.testing.assert_allclose(np.abs(found.loadings), np.abs(right[:3]))
    np.testing.assert_allclose(np.abs(found.points), np.abs(left * sizes)[:, :3], atol=1e-9)
    np.testing.assert_allclose(found.points, centred @ found.loadings.T, atol=1e-9)
    assert (found.loadings.max(axis=1) == found.loadings.abs().max(axis=1)).all()
    assert found.points.index.equals(table.index)


def test_constant_codes_and_a_single_latent_have_a_projection():
    assert principal_components(codes() * 0).explained.tolist() == [0, 0]
    assert list(project(codes()[["z1"]], "pca")) == ["PC1, 100 % of variance"]


def test_the_same_seed_gives_the_same_places():
    table = codes()
    pd.testing.assert_frame_equal(t_sne(table, seed=3), t_sne(table, seed=3))
    assert t_sne(table).index.equals(table.index)


def test_groups_stay_apart():
    assert split(t_sne(groups())) > 2
    assert split(project(groups(), "pca")) > 2


@pytest.mark.parametrize("count", [4, 7])
def test_few_rows_have_few_neighbours(count):
    assert np.isfinite(t_sne(codes(count))).all(axis=None)


@needs_umap
@pytest.mark.slow  # compiles itself
def test_umap_keeps_groups_apart_by_its_seed():
    pd.testing.assert_frame_equal(umap(codes(20), seed=1), umap(codes(20), seed=1))
    assert split(umap(groups())) > 2
    assert np.isfinite(umap(codes(5))).all(axis=None)


def test_what_is_missing_is_said(monkeypatch):
    found = builtins.__import__

    def without(name, *rest):
        if name == "umap":
            raise ModuleNotFoundError("No module named 'umap'", name="umap")
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"needs the package umap: pip install 'micrographia\[umap\]'"):
        umap(codes())


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="expected 4 rows"):
        t_sne(codes(3))
    with pytest.raises(ValueError, match="z1"):
        project(codes().assign(z1=np.nan), "pca")
