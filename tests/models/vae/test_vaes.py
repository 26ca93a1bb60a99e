from functools import partial

import pytest
import torch
from hydra import compose, initialize_config_dir

from micrographia.config import config_directory, instantiate
from micrographia.data.batches import step_generator
from micrographia.errors import UserError
from micrographia.models.vae import objectives
from micrographia.models.vae.ada_gvae import AdaGVAE
from micrographia.models.vae.beta_vae import BetaVAE
from micrographia.models.vae.factor_vae import FactorVAE
from micrographia.models.vae.networks import ConvNetwork, FeatureNetwork, ReferenceConvNetwork
from micrographia.models.vae.vae import VAE

SHAPE = (3, 16, 16)
adam = partial(torch.optim.Adam, lr=1e-3)


def build(method, network=ConvNetwork, shape=SHAPE, **keys):
    if method is FactorVAE:
        keys = {"discriminator_optimizer": adam, "discriminator_width": 32, **keys}
    return method(
        **{"name": "vae", "shape": shape, "network": network, "latents": 10, "optimizer": adam, "seed": 0, **keys}
    )


def pairs(shape=SHAPE, count=6, factors=4):
    generator = step_generator(3, 0)
    changed = torch.nn.functional.one_hot(torch.arange(count) % factors, factors).bool()
    first, second = torch.rand(2, count, *shape, generator=generator)
    return {"image": first, "partner": second, "changed": changed}


@pytest.mark.parametrize("aggregator", ["adaptive", "labels"])
@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (ConvNetwork, SHAPE),
        (partial(ReferenceConvNetwork, filters=8), SHAPE),
        (partial(FeatureNetwork, filters=8), (20,)),
    ],
)
@pytest.mark.parametrize("method", [VAE, BetaVAE, FactorVAE, AdaGVAE])
def test_gradients_reach_every_parameter(method, network, shape, aggregator):
    vae = build(method, network, shape, **({"aggregator": aggregator} if method is AdaGVAE else {}))
    batch = pairs(shape)
    if hasattr(vae.network, "set_range"):
        vae.network.set_range([batch["image"]])
    generator = step_generator(0, 0)
    vae.loss(batch, generator)["loss"].backward()
    if method is FactorVAE:
        vae.discriminator.zero_grad()
        vae.discriminator_loss(torch.randn(8, 10), generator).backward()
    without = [name for name, weight in vae.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == []


def test_beta_zero_is_an_autoencoder():
    parts = build(BetaVAE, beta=0.0).loss(pairs(), step_generator(0, 0))
    assert parts["loss"] == parts["reconstruction"]


def test_beta_one_and_gamma_zero_are_the_plain_vae():
    batch = pairs()
    expected = build(VAE).loss(batch, step_generator(0, 0))["loss"]
    assert build(BetaVAE, beta=1.0).loss(batch, step_generator(0, 0))["loss"] == expected
    assert build(FactorVAE, gamma=0.0).loss(batch, step_generator(0, 0))["loss"] == expected


def test_loss_is_the_sum_of_its_named_terms():
    batch = pairs()
    parts = build(BetaVAE, beta=4.0).loss(batch, step_generator(0, 0))
    torch.testing.assert_close(parts["loss"], parts["reconstruction"] + 4 * parts["kl"])
    parts = build(FactorVAE, gamma=6.0).loss(batch, step_generator(0, 0))
    expected = parts["reconstruction"] + parts["kl"] + 6 * parts["total_correlation"]
    torch.testing.assert_close(parts["loss"], expected)


@pytest.mark.parametrize(("batches", "weight"), [(0, 0.0), (25, 1.0), (100, 4.0), (500, 4.0)])
def test_warmup_follows_the_batches(batches, weight):
    vae = build(BetaVAE, beta=4.0, warmup=100)
    vae.batches = batches
    parts = vae.loss(pairs(), step_generator(0, 0))
    torch.testing.assert_close(parts["loss"], parts["reconstruction"] + weight * parts["kl"])
    parts = vae.eval().loss(pairs(), step_generator(0, 0))
    torch.testing.assert_close(parts["loss"], parts["reconstruction"] + 4 * parts["kl"])


def test_capacity_follows_the_batches():
    vae = build(BetaVAE, beta=100.0, capacity=20.0, capacity_steps=10)
    vae.batches = 5
    parts = vae.loss(pairs(), step_generator(0, 0))
    torch.testing.assert_close(parts["loss"], parts["reconstruction"] + 100 * (parts["kl"] - 10).abs())


def test_identical_images_share_all_latents():
    vae = build(AdaGVAE)
    batch = pairs()
    batch["partner"] = batch["image"]
    _, mean, logvar = vae.posterior(batch)
    alone_mean, alone_logvar = vae.encode(batch["image"])
    torch.testing.assert_close(mean, alone_mean.repeat(2, 1))
    torch.testing.assert_close(logvar, alone_logvar.repeat(2, 1))
    assert vae.shared(batch, mean, logvar).all()


@pytest.mark.parametrize("threshold", ["pair", "batch"])
def test_adaptive_latents_share_where_posteriors_are_close(threshold):
    vae = build(AdaGVAE, threshold=threshold)
    mean = torch.zeros(4, 10)
    mean[2, 3], mean[3, 5] = 4.0, 1.0  # pair 0 differs much in latent 3, pair 1 a little in latent 5
    own = ~vae.shared(pairs(count=2), mean, torch.zeros(4, 10))
    assert own.nonzero().tolist() == ([[0, 3], [1, 5]] if threshold == "pair" else [[0, 3]])


def test_labels_keep_only_the_changed_latent_apart():
    vae = build(AdaGVAE, aggregator="labels")
    batch = pairs()
    _, mean, _ = vae.posterior(batch)
    apart = mean[:6] != mean[6:]
    assert torch.equal(apart[:, :4], batch["changed"])
    assert not apart[:, 4:].any()
    torch.testing.assert_close(mean[:6][apart], vae.encode(batch["image"])[0][apart])
    assert vae.labelled_latents
    assert not build(AdaGVAE).labelled_latents


def test_labels_need_a_latent_per_factor():
    with pytest.raises(UserError, match=r"model\.latents=3"):
        build(AdaGVAE, aggregator="labels", latents=3).loss(pairs(), step_generator(0, 0))


def test_ada_gvae_on_single_images_is_a_beta_vae():
    batch = {"image": pairs()["image"]}
    loss = build(AdaGVAE, beta=2.0).loss(batch, step_generator(0, 0))["loss"]
    assert loss == build(BetaVAE, beta=2.0).loss(batch, step_generator(0, 0))["loss"]


def test_ada_gvae_is_the_mean_over_both_images():
    batch = pairs()
    vae = build(AdaGVAE, aggregator="labels", beta=2.0)
    parts = vae.loss(batch, step_generator(0, 0))
    target, mean, logvar = vae.posterior(batch)
    codes = objectives.sample(mean, logvar, step_generator(0, 0))
    raw = vae.network.decoder(codes)
    halves = [
        objectives.bernoulli(target[half], raw[half])
        + 2 * objectives.kl_to_standard(mean[half], logvar[half]).sum(1).mean()
        for half in (slice(0, 6), slice(6, 12))
    ]
    torch.testing.assert_close(parts["loss"], sum(halves) / 2)


def test_initial_weights_depend_on_the_seed_alone():
    def weights(seed: int) -> torch.Tensor:
        return torch.cat([weight.flatten() for weight in build(FactorVAE, seed=seed).parameters()])

    torch.manual_seed(1)
    first = weights(0)
    before = torch.get_rng_state()
    assert torch.equal(first, weights(0))
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(first, weights(1))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"beta": -1.0}, r"model\.beta"),
        ({"latents": 0}, r"model\.latents"),
        ({"deviation": 0.0}, r"model\.deviation"),
        ({"reconstruction": "feature_scaled"}, r"model\.reconstruction"),
        ({"network": FeatureNetwork, "shape": (20,), "reconstruction": "bernoulli"}, r"model\.reconstruction"),
    ],
)
def test_wrong_values_are_answered(keys, message):
    with pytest.raises(UserError, match=message):
        build(BetaVAE, **keys)


@pytest.mark.parametrize("method", [BetaVAE, FactorVAE, AdaGVAE])
def test_a_few_steps_reduce_the_loss(method):
    vae = build(method)
    batch = pairs()
    optimizer = torch.optim.Adam(vae.network.parameters(), lr=1e-3)
    losses = []
    for step in range(30):
        parts = vae.loss(batch, step_generator(0, step))
        optimizer.zero_grad()
        parts["loss"].backward()
        optimizer.step()
        losses.append(parts["loss"].item())
    assert losses[-1] < losses[0] - 10


@pytest.mark.parametrize("reconstruction", ["bernoulli", "gaussian", "mse"])
def test_decoded_images_lie_in_the_unit_range(reconstruction):
    vae = build(BetaVAE, reconstruction=reconstruction)
    images = vae.decode(torch.randn(4, 10) * 10)
    assert images.shape == (4, *SHAPE)
    assert images.min() >= 0
    assert images.max() <= 1


def test_decoded_features_are_in_their_own_units():
    vae = build(BetaVAE, partial(FeatureNetwork, filters=8), (20,))
    vae.network.set_range([torch.tensor([-100.0, 300.0])])
    codes = torch.randn(4, 10)
    torch.testing.assert_close(vae.decode(codes), vae.network.decoder(codes) * 400 - 100)


@pytest.mark.parametrize("network", ["conv", "reference_conv", "features"])
@pytest.mark.parametrize("model", ["beta_vae", "factor_vae", "ada_gvae"])
def test_every_config_composes_and_builds(model, network):
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        config = compose(overrides=[f"+model={model}", f"model/network={network}"])
    shape = (20,) if network == "features" else (3, 16, 16)
    vae = instantiate(config.model, "model", shape=shape, optimizer=adam, seed=0)
    assert vae.name == model
    assert vae.latent_names == [f"z{index}" for index in range(10)]
    assert vae.changed_factors == (1 if model == "ada_gvae" else None)
