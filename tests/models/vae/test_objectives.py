import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from micrographia.data.batches import step_generator
from micrographia.models.vae import objectives


def gaussians(*shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator), torch.randn(*shape, generator=generator)


def normal(mean: torch.Tensor, logvar: torch.Tensor) -> Normal:
    return Normal(mean, (0.5 * logvar).exp())


def test_kl_to_standard_is_that_of_torch():
    mean, logvar = gaussians(50, 7)
    expected = kl_divergence(normal(mean, logvar), Normal(0.0, 1.0))
    torch.testing.assert_close(objectives.kl_to_standard(mean, logvar), expected)


def test_kl_between_is_that_of_torch_in_this_order():
    p, q = gaussians(50, 7, seed=1), gaussians(50, 7, seed=2)
    expected = kl_divergence(normal(*p), normal(*q))
    torch.testing.assert_close(objectives.kl_between(*p, *q), expected)
    torch.testing.assert_close(
        objectives.symmetric_kl(*p, *q), 0.5 * (expected + kl_divergence(normal(*q), normal(*p)))
    )


def test_samples_have_the_posterior_moments_and_pass_gradients():
    mean, logvar = torch.full((200_000, 1), 3.0), torch.full((200_000, 1), math.log(4.0))
    mean.requires_grad_(), logvar.requires_grad_()
    codes = objectives.sample(mean, logvar, step_generator(0, 0))
    assert codes.mean().item() == pytest.approx(3, abs=0.02)
    assert codes.std().item() == pytest.approx(2, abs=0.02)
    codes.sum().backward()
    assert (mean.grad == 1).all()
    assert logvar.grad.abs().sum() > 0


def test_bernoulli_is_the_negative_log_likelihood_of_an_image():
    images = torch.rand(4, 3, 8, 8, generator=step_generator(0, 1)).round()
    logits = torch.randn(4, 3, 8, 8, generator=step_generator(0, 2))
    expected = -Bernoulli(logits=logits).log_prob(images).sum((1, 2, 3)).mean()
    torch.testing.assert_close(objectives.bernoulli(images, logits), expected)


@pytest.mark.parametrize("deviation", [1.0, 0.1])
def test_gaussian_is_the_negative_log_likelihood_of_an_image(deviation):
    images, output = torch.rand(2, 4, 3, 8, 8, generator=step_generator(0, 1))
    expected = -Normal(output, deviation).log_prob(images).sum((1, 2, 3)).mean()
    torch.testing.assert_close(objectives.gaussian(images, output, deviation), expected)


def test_feature_scaled_is_the_papers_formula():
    features, output = torch.rand(2, 5, 768, generator=step_generator(0, 1))
    expected = (768 * (features - output).square().sum(1)).mean()
    torch.testing.assert_close(objectives.feature_scaled(features, output), expected)
    torch.testing.assert_close(objectives.mse(features, output), expected / 768)


def test_capacity_rises_and_stays():
    kl = torch.tensor(10.0)
    terms = [objectives.capacity_term(kl, step, 20.0, 100, 2.0).item() for step in (0, 25, 50, 100, 1000)]
    assert terms == [20, 10, 0, 20, 20]
    assert objectives.capacity_term(kl, math.inf, 20.0, 100, 2.0).item() == 20


def test_permuted_codes_keep_marginals_and_lose_dependence():
    latent = torch.randn(5000, 1, generator=step_generator(0, 0))
    codes = torch.cat([latent, latent, -latent], 1)
    permuted = objectives.permute_codes(codes, step_generator(0, 1))
    assert torch.equal(permuted.sort(0).values, codes.sort(0).values)
    off_diagonal = torch.corrcoef(permuted.T) - torch.eye(3)
    assert off_diagonal.abs().max() < 0.06


def log_density_ratio(codes: torch.Tensor, correlation: float) -> torch.Tensor:
    """Ideal logits for two standard normal latents of the given correlation."""
    covariance = torch.tensor([[1.0, correlation], [correlation, 1.0]])
    joint = torch.distributions.MultivariateNormal(torch.zeros(2), covariance)
    return joint.log_prob(codes) - Normal(0.0, 1.0).log_prob(codes).sum(1)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_total_correlation_by_an_ideal_discriminator(correlation):
    noise = torch.randn(100_000, 2, generator=step_generator(0, 0))
    second = correlation * noise[:, 0] + math.sqrt(1 - correlation**2) * noise[:, 1]
    codes = torch.stack([noise[:, 0], second], 1)
    joint = log_density_ratio(codes, correlation)
    estimate = objectives.total_correlation(joint).item()
    assert estimate == pytest.approx(-0.5 * math.log(1 - correlation**2), abs=0.01)
    permuted = log_density_ratio(objectives.permute_codes(codes, step_generator(0, 1)), correlation)
    loss = objectives.discriminator_loss(joint, permuted).item()
    if correlation == 0:
        assert loss == pytest.approx(math.log(2), abs=1e-6)
    else:
        assert loss < math.log(2) - 0.05


def test_discriminator_loss_rewards_the_right_answer():
    high, low = torch.full((4,), 5.0), torch.full((4,), -5.0)
    assert objectives.discriminator_loss(high, low) < 0.01
    assert objectives.discriminator_loss(low, high) > 5


def test_average_of_posteriors_is_mean_of_means_and_of_variances():
    mean = torch.tensor([[0.0, 5.0], [2.0, 7.0]])
    logvar = torch.tensor([[1.0, 1.0], [3.0, 9.0]]).log()
    shared = torch.tensor([[True, False]])
    averaged_mean, averaged_logvar = objectives.average_shared(mean, logvar, shared)
    torch.testing.assert_close(averaged_mean, torch.tensor([[1.0, 5.0], [1.0, 7.0]]))
    torch.testing.assert_close(averaged_logvar.exp(), torch.tensor([[2.0, 1.0], [2.0, 9.0]]))


def test_shared_latents_by_labels_with_several_changed_factors():
    changed = torch.tensor([[True, False, True], [False, False, False]])
    assert objectives.all_but_changed(changed, 5).tolist() == [
        [False, True, False, True, True],
        [True, True, True, True, True],
    ]
