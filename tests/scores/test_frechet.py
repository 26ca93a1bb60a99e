import pytest
import torch

from micrographia.errors import UserError
from micrographia.scores.frechet import FrechetScores, ImageFeatures


class Quarters:
    """Features: the mean brightness of each quarter of the first colour."""

    name = "quarters"
    size = 8
    features = 4

    def __call__(self, images):
        assert images.shape[1:] == (3, 8, 8)
        return torch.nn.functional.adaptive_avg_pool2d(images[:, :1], 2).flatten(1)


def batches(scale=1.0, shift=0.0, seed=0, channels=3, count=4):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(50, channels, 8, 8, generator=generator) * scale + shift for _ in range(count)]


def test_equal_images_are_at_no_distance():
    distances = FrechetScores(Quarters(), batches())(batches())
    assert list(distances) == ["frechet/quarters", "kernel/quarters"]
    assert distances["frechet/quarters"] == pytest.approx(0, abs=1e-8)
    assert distances["kernel/quarters"] == pytest.approx(0, abs=2e-3)


def test_the_distance_of_a_shift_is_its_squared_length():
    distances = FrechetScores(Quarters(), batches(scale=0.5))(batches(scale=0.5, shift=0.3))
    assert distances["frechet/quarters"] == pytest.approx(4 * 0.3**2, rel=1e-4)
    assert distances["kernel/quarters"] > 0.1


def test_the_distance_does_not_depend_on_order_or_global_random_numbers():
    scores = FrechetScores(Quarters(), batches())
    torch.manual_seed(1)
    first = scores(batches(seed=1))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert scores(batches(seed=1)) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert scores(list(reversed(batches(seed=1))))["frechet/quarters"] == pytest.approx(first["frechet/quarters"])


def test_inception_alone_gives_the_name_fid():
    network = Quarters()
    network.name = "inception_v3"
    assert list(FrechetScores(network, batches())(batches())) == ["fid", "kid"]


@pytest.mark.parametrize(("channels", "length"), [(1, 4), (2, 8), (3, 4), (5, 20)])
def test_each_channel_of_a_microscopy_image_is_seen_in_grey(channels, length):
    images = torch.rand(3, channels, 8, 8)
    features = ImageFeatures(Quarters(), channels)
    assert features.num_features == length
    assert features(images).shape == (3, length)
    if channels != 3:
        expected = torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)
        torch.testing.assert_close(features(images), expected)


def test_images_are_brought_to_the_networks_size_and_range():
    images = torch.full((2, 1, 32, 32), 1.7)
    torch.testing.assert_close(ImageFeatures(Quarters(), 1)(images), torch.ones(2, 4))


def test_a_distribution_of_one_image_is_answered():
    with pytest.raises(UserError, match="1 real images"):
        FrechetScores(Quarters(), [torch.rand(1, 3, 8, 8)])
