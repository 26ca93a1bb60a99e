import numpy as np
import pytest
import torch
from torchmetrics import MetricCollection

from micrographia.scores.disentanglement import dci, latent_information, mig, modularity, omes, sap, total_correlation
from micrographia.scores.disentanglement import metrics as wrapped

PLAIN = {
    wrapped.MIG: mig,
    wrapped.SAP: lambda codes, factors: sap(codes, factors, cells=32),
    wrapped.Modularity: modularity,
}


@pytest.fixture
def batches():
    generator = np.random.default_rng(0)
    factors = generator.integers(0, 4, (600, 2))
    codes = np.hstack([factors + 0.3 * generator.normal(size=(600, 2)), generator.normal(size=(600, 1))])
    return [
        (torch.tensor(codes[part], dtype=torch.float32), torch.tensor(factors[part]))
        for part in np.array_split(np.arange(600), 5)
    ]


def joined(batches):
    return tuple(torch.cat(side).numpy() for side in zip(*batches, strict=True))


@pytest.mark.parametrize("metric", PLAIN)
def test_batches_score_like_the_whole_table(metric, batches):
    scored = metric()
    for codes, factors in batches:
        scored.update(codes, factors)
    assert float(scored.compute()) == pytest.approx(PLAIN[metric](*joined(batches)).score)
    scored.reset()
    scored.update(*batches[0])
    assert float(scored.compute()) == pytest.approx(PLAIN[metric](*joined(batches[:1])).score)


def test_settings_take_the_place_of_the_fast_ones(batches):
    scored = wrapped.DCI(trees=5)
    assert wrapped.DCI().settings == {"booster": "random_forest", "trees": 20}
    for batch in batches:
        scored.update(*batch)
    plain = dci(*joined(batches), booster="random_forest", trees=5)
    assert {name: float(value) for name, value in scored.compute().items()} == pytest.approx(
        {f"dci_{part}": getattr(plain, part) for part in ("disentanglement", "completeness", "informativeness")}
    )


def test_scores_of_codes_alone(batches):
    together = MetricCollection({"tc": wrapped.TotalCorrelation(), "active": wrapped.ActiveUnits()})
    for codes, _ in batches:
        together.update(codes)
    values = together.compute()
    assert float(values["tc"]) == pytest.approx(total_correlation(joined(batches)[0]).score, abs=1e-6)
    assert float(values["active"]) == 3


def test_scores_of_codes_leave_factors_aside_in_a_collection(batches):
    together = MetricCollection([wrapped.MIG(), wrapped.ActiveUnits(), wrapped.LatentInformation()])
    for codes, factors in batches:
        together.update(codes, factors)
    values = together.compute()
    assert float(values["ActiveUnits"]) == 3
    assert float(values["LatentInformation"]) == pytest.approx(latent_information(joined(batches)[0]).score)


def test_every_wrapper_of_tables_computes(batches):
    for metric in (wrapped.MIG, wrapped.SAP, wrapped.Modularity, wrapped.Explicitness, wrapped.DCI):
        scored = metric()
        scored.update(*batches[0])
        value = scored.compute()
        assert all(torch.isfinite(number) for number in (value.values() if isinstance(value, dict) else [value]))


def test_omes_from_pairs_that_come_in_batches():
    generator = np.random.default_rng(0)
    pairs = {name: tuple(generator.normal(size=(2, 200, 3)).astype(np.float32)) for name in ("Shape", "Scale")}
    scored = wrapped.OMES(["Shape", "Scale"], alpha=0.3)
    for name, (before, after) in pairs.items():
        for part in (slice(0, 50), slice(50, 200)):
            scored.update(name, torch.from_numpy(before[part]), torch.from_numpy(after[part]))
    assert float(scored.compute()) == pytest.approx(omes(pairs, alpha=0.3).score)
    with pytest.raises(ValueError, match="Colour"):
        scored.update("Colour", torch.zeros(2, 3), torch.zeros(2, 3))


def test_codes_of_mixed_precision(batches):
    halved = [(codes.bfloat16(), factors) for codes, factors in batches]
    scored, whole = wrapped.MIG(), wrapped.MIG()
    for (half, factors), (codes, _) in zip(halved, batches, strict=True):
        scored.update(half, factors)
        whole.update(codes, factors)
    assert float(scored.compute()) == pytest.approx(float(whole.compute()), abs=0.02)
    pairs = wrapped.OMES(["Shape"])
    pairs.update("Shape", halved[0][0], halved[0][0].flip(0))
    assert torch.isfinite(pairs.compute())
