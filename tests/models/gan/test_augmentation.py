import pytest
import torch

from micrographia.models.gan.augmentation import BRIGHTNESS, CEILING, SHIFT, AdaptiveAugmentation


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=64, channels=2, side=16):
    return torch.rand(count, channels, side, side, generator=stream(1))


def test_nothing_changes_at_probability_0_or_without_augmentation():
    assert torch.equal(AdaptiveAugmentation(p=0.0)(images(), stream()), images())
    assert torch.equal(AdaptiveAugmentation(mode="none", p=1.0)(images(), stream()), images())


def test_about_the_named_share_of_images_changes():
    changed = AdaptiveAugmentation(mode="fixed", p=0.1)(images(2000, 1), stream()) != images(2000, 1)
    share = changed.flatten(1).any(1).float().mean().item()
    # One in eight orientations is the image's own; a shift is 0 in both directions in 1 of 16 draws or so.
    assert share == pytest.approx(1 - 0.9 * (1 - 0.1 * 7 / 8) * (1 - 0.1 * 0.93), abs=0.03)


def test_translation_is_by_whole_pixels_up_to_an_eighth_of_the_side():
    augment = AdaptiveAugmentation(mode="fixed", p=1.0)
    canvas = torch.zeros(200, 1, 32, 32)
    canvas[:, 0, 16, 16] = 1
    moved = augment.translate(canvas, stream())
    assert moved.sum((1, 2, 3)).tolist() == [1.0] * 200
    places = moved.flatten(1).argmax(1)
    shifts = torch.stack([places // 32 - 16, places % 32 - 16])
    assert shifts.abs().max() == SHIFT * 32
    assert {tuple(shift) for shift in shifts.sign().T.tolist()} >= {(-1, -1), (1, 1), (-1, 1), (1, -1)}


def test_brightness_keeps_a_dark_background_and_acts_on_each_channel():
    augment = AdaptiveAugmentation(mode="fixed", p=1.0)
    factors = augment.factors(images(4000), stream())
    assert factors.shape == (4000, 2, 1, 1)
    logarithms = factors.log2().flatten(1)
    assert logarithms.std(0) == pytest.approx(torch.full((2,), BRIGHTNESS), rel=0.05)
    assert torch.corrcoef(logarithms.T)[0, 1].abs() < 0.05
    assert augment(torch.zeros(8, 2, 16, 16), stream()).abs().max() == 0


def test_gradients_pass_twice():
    augment = AdaptiveAugmentation(mode="fixed", p=1.0)
    ours = images(4).requires_grad_()
    (gradient,) = torch.autograd.grad(augment(ours, stream()).square().sum(), ours, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), ours)
    assert second.abs().max() > 0


@pytest.mark.parametrize(("signs", "direction"), [([1, 1, 1, 1], 1), ([1, -1, 1, -1], -1), ([-1, -1, -1, -1], -1)])
def test_the_probability_follows_the_sign_of_the_outputs(signs, direction):
    augment = AdaptiveAugmentation(p=0.5, target=0.6, speed=0.1)
    for batch in range(4):
        augment.adapt(torch.tensor(signs) * 3.0, batch)
        assert (augment.probability == 0.5) == (batch < 3)  # every fourth batch
    assert augment.probability.item() == pytest.approx(0.5 + direction * 16 / 100)
    assert augment.seen == augment.signs == 0


def test_the_probability_stays_in_its_range():
    for outputs, end in ((torch.ones(8), CEILING), (-torch.ones(8), 0.0)):
        augment = AdaptiveAugmentation(p=0.5, speed=0.01)
        for batch in range(12):
            augment.adapt(outputs, batch)
        assert augment.probability.item() == pytest.approx(end)
    fixed = AdaptiveAugmentation(mode="fixed", p=0.5, speed=0.01)
    for batch in range(8):
        fixed.adapt(torch.ones(8), batch)
    assert fixed.probability == 0.5
