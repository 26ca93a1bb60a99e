from functools import partial

import numpy as np
import pytest
import torch

from micrographia.inversion.descent import BatchAdam, Variable, descend
from micrographia.inversion.schedule import Schedule, Settling

CONSTANT = partial(Schedule, initial=1.0, final=1.0)
CENTRES = torch.tensor([[1.0, -2.0], [3.0, 0.5], [0.0, 4.0]], dtype=torch.float64)


def bowl(values, rows):
    return {"data": (values["code"] - CENTRES[rows]).square().sum(1), "other": 0.1 * values["code"].abs().sum(1)}


def code(rows=(0, 1, 2), lr=0.1, **keys):
    return {"code": Variable(torch.zeros(len(rows), 2, dtype=torch.float64), lr, **keys)}


def test_adam_takes_the_steps_of_torchs():
    start = torch.randn(4, 3, dtype=torch.float64)
    ours, theirs = {"code": start.clone()}, start.clone().requires_grad_()
    adam, reference = BatchAdam(ours), torch.optim.Adam([theirs], lr=0.3)
    for _ in range(30):
        gradient = 2 * ours["code"] - 1
        ours = adam.step(ours, {"code": gradient}, {"code": torch.full((4,), 0.3, dtype=torch.float64)})
        theirs.grad = gradient.clone()
        reference.step()
    torch.testing.assert_close(ours["code"], theirs.detach())


def turned(matrices, values):
    return torch.einsum("lab,nlb->nla", matrices, values)


def test_along_axes_adam_takes_the_steps_of_torchs_in_rotated_coordinates():
    axes = torch.linalg.qr(torch.randn(2, 3, 3, dtype=torch.float64)).Q
    ours, centre = {"code": torch.randn(4, 2, 3, dtype=torch.float64)}, torch.randn(4, 2, 3, dtype=torch.float64)
    along = turned(axes.mT, ours["code"]).requires_grad_()
    adam, reference = BatchAdam(ours, {"code": axes}), torch.optim.Adam([along], lr=0.1)
    for _ in range(30):
        ours = adam.step(ours, {"code": (ours["code"] - centre) ** 3}, {"code": torch.full((4,), 0.1).double()})
        along.grad = turned(axes.mT, (turned(axes, along.detach()) - centre) ** 3)
        reference.step()
    torch.testing.assert_close(ours["code"], turned(axes, along.detach()))


def test_along_the_axes_of_a_narrow_valley_a_descent_ends_lower():
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    axes = torch.kron(torch.kron(signs, signs), signs)[None] / 8**0.5  # each direction has a part in each entry
    widths = torch.logspace(0, 2, 8, dtype=torch.float64)

    start = torch.randn(8, 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def valley(values, rows):
        return {"data": (turned(axes.mT, values["code"]) * widths).square().sum((1, 2))}

    along, plain = (descend(valley, {"code": Variable(start, 0.1, axes=own)}, Schedule(200)) for own in (axes, None))
    assert (along.loss < plain.loss / 10).all()


def test_finds_the_lowest_loss_and_its_terms():
    found = descend(bowl, code(), CONSTANT(400))
    torch.testing.assert_close(found.loss, sum(found.terms.values()))
    torch.testing.assert_close(found.values["code"], CENTRES - 0.05 * CENTRES.sign(), atol=2e-3, rtol=0)
    assert found.steps.tolist() == [400] * 3
    assert not found.diverged.any()


def test_keeps_the_best_and_not_the_last():
    seen = []

    def rising(values, rows):
        seen.append(values["code"].detach().clone())
        return {"data": -bowl(values, rows)["data"] if len(seen) == 3 else bowl(values, rows)["data"] + 100}

    found = descend(rising, code(), CONSTANT(6))
    torch.testing.assert_close(found.values["code"], seen[2])
    assert len(seen) == 6


def test_constraints_hold_after_every_step():
    def unit(values, rows):
        return values / values.norm(dim=1, keepdim=True)

    variables = {"code": Variable(unit(torch.ones(3, 2, dtype=torch.float64), None), 0.2, unit)}
    found = descend(bowl, variables, CONSTANT(200))
    torch.testing.assert_close(found.values["code"].norm(dim=1), torch.ones(3, dtype=torch.float64))
    assert (found.loss < sum(bowl({"code": variables["code"].start}, torch.arange(3)).values())).all()


def test_a_settled_image_runs_its_last_tenth_and_leaves_while_others_go_on():
    batches = []

    def evaluate(values, rows):
        batches.append(rows.tolist())
        # image 0 has nothing to gain, image 1 always, image 2 until step 60
        gain = torch.tensor([0, len(batches), min(len(batches), 60)], dtype=torch.float64)
        return {"data": (values["code"] * 0).sum(1) - gain[rows]}

    found = descend(evaluate, code(), Schedule(100), Settling(window=10, tolerance=0.001))
    # the looks are at steps 10, 20, ...; the peak is step 45, so that the first that counts is after step 50
    assert found.steps.tolist() == [50 + 10, 100, 70 + 10]
    assert batches[59] == [0, 1, 2]
    assert 0 not in batches[60]
    assert batches[-1] == [1]


def test_nobody_settles_before_the_peak():
    def flat(values, rows):
        return {"data": (values["code"] * 0).sum(1)}

    steps = descend(flat, code(), Schedule(200), Settling(window=1, tolerance=0.5)).steps
    assert steps.tolist() == [90 + 1 + 20] * 3


def test_a_diverged_image_leaves_with_its_best_and_harms_nobody():
    def evaluate(values, rows):
        terms = bowl(values, rows)
        broken = (rows == 1) & (values["code"].abs().sum(1) > 0.5)
        return {**terms, "data": torch.where(broken, torch.nan, terms["data"])}

    settling = Settling(window=5, tolerance=0.0)
    found = descend(evaluate, code(), CONSTANT(50), settling)
    alone = descend(bowl, code(), CONSTANT(50), settling)
    assert found.diverged.tolist() == [False, True, False]
    assert found.loss.isfinite().all()
    assert found.steps[1] < 50
    torch.testing.assert_close(found.values["code"][::2], alone.values["code"][::2], rtol=0, atol=0)


def test_a_loss_that_was_never_finite_returns_the_start():
    found = descend(lambda values, rows: {"data": values["code"].sum(1) * torch.nan}, code(), CONSTANT(20))
    assert found.diverged.all()
    assert found.loss.isinf().all()
    assert (found.values["code"] == 0).all()


def test_progress_goes_from_nothing_to_all_images():
    seen = []
    descend(bowl, code(), CONSTANT(45), watch=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(3)
    assert np.diff(seen).max() < 1
