import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from micrographia.inversion import terms

torch.manual_seed(0)
LOW = torch.rand(3, 2, 4, 4, dtype=torch.float64)
TARGET = torch.rand(3, 2, 4, 4, dtype=torch.float64)
CODES = torch.randn(3, 4, 6, dtype=torch.float64)


def test_data_terms_of_a_known_difference():
    target = torch.zeros(2, 1, 2, 2)
    low = torch.tensor([0.5, -2.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    assert terms.l1(low, target).tolist() == [0.5, 2]
    assert terms.l2(low, target).tolist() == [0.25, 4]
    assert terms.charbonnier(low, target, 0.0).tolist() == [0.5, 2]
    assert terms.charbonnier(target, target, 0.25).tolist() == [0.25, 0.25]


def test_the_floor_of_l2_stops_its_gradient():
    low = torch.tensor([0.01, 0.5]).view(2, 1, 1, 1).requires_grad_()
    value = terms.l2(low, torch.zeros(2, 1, 1, 1), floor=0.002)
    value.sum().backward()
    torch.testing.assert_close(value, torch.tensor([0.002, 0.25]))
    assert low.grad.flatten().tolist() == [0.0, 1.0]


def test_poisson_deviance_is_that_of_counts():
    # 2 (30 - 20 + 20 log(20 / 30)), shifted by a read variance of 10 on both sides
    expected = 2 * (10 + 20 * math.log(20 / 30))
    value = terms.poisson(torch.tensor([[0.2]]), torch.tensor([[0.1]]), photons=100, read_variance=10)
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_poisson_deviance_is_least_at_the_target_and_leads_back_from_below():
    target = torch.tensor([[0.0, 0.1]], dtype=torch.float64)
    assert terms.poisson(target, target, 200).item() == pytest.approx(0, abs=1e-12)
    low = torch.tensor([[-0.5, -0.5]], dtype=torch.float64, requires_grad=True)
    terms.poisson(low, target, 200).sum().backward()
    assert (low.grad < 0).all()


def test_cross_terms_of_known_codes():
    codes = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 2.0], [2.0, 2.0]]])
    torch.testing.assert_close(terms.euclidean_cross(codes), torch.tensor([2**0.5, 0]))
    torch.testing.assert_close(terms.cosine_cross(codes), torch.tensor([2.0, 0]))
    # two ordered pairs of four at pi / 2, times d / 8
    torch.testing.assert_close(terms.geodesic_cross(codes), torch.tensor([(math.pi / 2) ** 2 / 2 / 4, 0]))


@pytest.mark.parametrize("cross", [terms.euclidean_cross, terms.geodesic_cross, terms.cosine_cross])
def test_cross_terms_where_layers_agree_or_there_is_one(cross):
    codes = torch.ones(2, 3, 4, requires_grad=True)
    value = cross(codes)
    value.sum().backward()
    assert value.abs().max() < 1e-6
    assert codes.grad.isfinite().all()
    assert cross(torch.ones(2, 1, 4)).tolist() == [0, 0]


def test_mahalanobis_is_the_quadratic_form_of_the_covariance():
    v = torch.randn(500, 6, dtype=torch.float64) @ torch.randn(6, 6, dtype=torch.float64)
    covariance, mean = v.T.cov(correction=0), v.mean(0)
    variances, directions = torch.linalg.eigh(covariance)
    values = terms.mahalanobis(v[:, None], mean, directions / variances.sqrt())
    expected = torch.einsum("nd,de,ne->n", v - mean, covariance.inverse(), v - mean)
    torch.testing.assert_close(values, expected)
    assert values.mean().item() == pytest.approx(6)


def test_distance_to_the_mean_in_units_of_the_spread():
    styles = torch.full((1, 2, 4), 3.0)
    assert terms.mean_distance(styles, torch.ones(4), torch.tensor(4.0)).tolist() == [0.25]


@pytest.mark.parametrize(
    "term",
    [
        lambda low, codes: terms.l1(low, TARGET),
        lambda low, codes: terms.l2(low, TARGET),
        lambda low, codes: terms.charbonnier(low, TARGET),
        lambda low, codes: terms.poisson(low, TARGET, 50.0),
        lambda low, codes: terms.p_norm(codes),
        lambda low, codes: terms.euclidean_cross(codes),
        lambda low, codes: terms.geodesic_cross(codes),
        lambda low, codes: terms.cosine_cross(codes),
        lambda low, codes: terms.mahalanobis(codes, torch.zeros(6).double(), torch.eye(6).double()),
        lambda low, codes: terms.mean_distance(codes, torch.zeros(6).double(), torch.tensor(2.0).double()),
    ],
)
def test_one_value_an_image_with_the_gradient_of_that_image_alone(term):
    low, codes = LOW.clone().requires_grad_(), CODES.clone().requires_grad_()
    values = term(low, codes)
    assert values.shape == (3,)
    assert gradcheck(term, (low, codes))
    for image in range(3):
        found = torch.autograd.grad(values[image], (low, codes), retain_graph=True, allow_unused=True)
        for gradient in (gradient for gradient in found if gradient is not None):
            others = torch.arange(3) != image
            assert gradient[image].abs().sum() > 0
            assert (gradient[others] == 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 10))
def test_cross_terms_do_not_depend_on_the_order_of_layers_and_angles_not_on_length(seed, scale):
    codes = torch.randn(2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    order = torch.randperm(4, generator=torch.Generator().manual_seed(seed))
    for cross in (terms.euclidean_cross, terms.geodesic_cross, terms.cosine_cross):
        torch.testing.assert_close(cross(codes), cross(codes[:, order]))
        assert (cross(codes) >= 0).all()
    torch.testing.assert_close(terms.geodesic_cross(codes), terms.geodesic_cross(scale * codes))
    torch.testing.assert_close(terms.cosine_cross(codes), terms.cosine_cross(scale * codes))
    torch.testing.assert_close(terms.euclidean_cross(scale * codes), scale * terms.euclidean_cross(codes))
