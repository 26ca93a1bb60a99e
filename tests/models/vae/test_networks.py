import pytest
import torch

from micrographia.errors import UserError
from micrographia.models.vae.networks import ConvNetwork, FeatureNetwork, ReferenceConvNetwork


@pytest.mark.parametrize(
    ("network", "shape"),
    [(ConvNetwork, (channels, side, side)) for channels, side in [(1, 16), (3, 32), (3, 64), (2, 128)]]
    + [(ReferenceConvNetwork, (3, 64, 64)), (ReferenceConvNetwork, (1, 40, 40))],
)
def test_code_and_image_have_their_shapes(network, shape):
    built = network(shape, latents=7)
    mean, logvar = built.encoder(torch.rand(2, *shape))
    assert mean.shape == logvar.shape == (2, 7)
    raw = built.decoder(mean)
    assert raw.shape == (2, *shape)
    image = built.restore(built.activate(raw))
    assert image.min() >= 0
    assert image.max() <= 1


def test_conv_network_at_64_px_is_the_published_one():
    def count(module: torch.nn.Module) -> int:
        return sum(weight.numel() for weight in module.parameters())

    built = ConvNetwork((1, 64, 64), latents=10)
    convolutions = (16 * 32 + 32) + (32 * 16 * 32 + 32) + (32 * 4 * 64 + 64) + (64 * 4 * 64 + 64)
    assert count(built.encoder) == convolutions + (1024 * 256 + 256) + 2 * (256 * 10 + 10)
    convolutions = (64 * 16 * 64 + 64) + (64 * 16 * 32 + 32) + (32 * 16 * 32 + 32) + (32 * 16 * 1 + 1)
    assert count(built.decoder) == (10 * 256 + 256) + (256 * 1024 + 1024) + convolutions


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        (ConvNetwork, (3, 48, 48), "data.size=64"),
        (ConvNetwork, (3, 8, 8), "data.size=64"),
        (ConvNetwork, (3, 64, 32), "square"),
        (ConvNetwork, (768,), "model/network=features"),
        (ReferenceConvNetwork, (3, 60, 60), "divisible by 8"),
        (FeatureNetwork, (3, 64, 64), "model/network=conv"),
    ],
)
def test_wrong_shapes_are_answered(network, shape, message):
    with pytest.raises(UserError, match=message):
        network(shape, latents=10)


def test_feature_scaling_travels_with_the_weights():
    source, target = FeatureNetwork((5,), 2, filters=4), FeatureNetwork((5,), 2, filters=4)
    with pytest.raises(UserError, match="not set"):
        target.normalise(torch.zeros(1, 5))
    source.set_range([torch.tensor([[-3.0, 0.0]]), torch.tensor([[1.0, 5.0], [2.0, 2.0]])])
    target.load_state_dict(source.state_dict())
    features = torch.tensor([[-3.0, 5.0, 1.0, 9.0, 0.0]])
    torch.testing.assert_close(target.normalise(features), (features + 3) / 8)
    torch.testing.assert_close(target.restore(target.normalise(features)), features)


@pytest.mark.parametrize("chunks", [[], [torch.ones(3, 5)], [torch.tensor([0.0, float("nan")])]])
def test_features_that_cannot_be_scaled_are_answered(chunks):
    with pytest.raises(UserError, match="features"):
        FeatureNetwork((5,), 2, filters=4).set_range(chunks)


def test_log_variance_of_features_is_clamped():
    network = FeatureNetwork((5,), 2, filters=4)
    _, logvar = network.encoder(torch.randn(100, 5) * 1e6)
    assert logvar.min() == -20
    assert logvar.max() == 10
