import pytest
import torch
from torch.nn import functional

from micrographia.models.gan.convolution import conv2d, conv_transpose2d

CASES = {
    "same size": (conv2d, functional.conv2d, (4, 3, 3, 3), {"padding": 1}),
    "stride 2": (conv2d, functional.conv2d, (4, 3, 3, 3), {"stride": 2}),
    "one pixel": (conv2d, functional.conv2d, (4, 3, 1, 1), {}),
    "blur": (conv2d, functional.conv2d, (3, 1, 4, 4), {"padding": 2, "groups": 3}),
    "downsampling": (conv2d, functional.conv2d, (3, 1, 4, 4), {"stride": 2, "padding": 1, "groups": 3}),
    "doubling": (conv_transpose2d, functional.conv_transpose2d, (3, 4, 3, 3), {"stride": 2}),
    "upsampling": (
        *(conv_transpose2d, functional.conv_transpose2d, (3, 1, 4, 4)),
        {"stride": 2, "padding": 1, "groups": 3},
    ),
}


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("side", [4, 5])
def test_values_and_derivatives_of_both_orders(case, side):
    ours, theirs, shape, options = CASES[case]
    images, weight = draw(2, 3, side, side), draw(*shape, seed=1)
    torch.testing.assert_close(ours(images, weight, **options), theirs(images, weight, **options))
    assert torch.autograd.gradcheck(lambda *given: ours(*given, **options), (images, weight))
    assert torch.autograd.gradgradcheck(lambda *given: ours(*given, **options), (images, weight), fast_mode=True)


def test_the_bias_has_its_derivatives_too():
    given = draw(2, 3, 5, 5), draw(4, 3, 3, 3, seed=1), draw(4, seed=2)
    torch.testing.assert_close(conv2d(*given), functional.conv2d(*given))
    assert torch.autograd.gradcheck(conv2d, given)
    assert torch.autograd.gradgradcheck(conv2d, given, fast_mode=True)


def test_a_penalty_on_gradients_has_the_gradient_that_torch_gives():
    images, weights = draw(2, 3, 8, 8), [draw(5, 3, 3, 3, seed=1), draw(5, 5, 3, 3, seed=2)]

    def penalty(convolve):
        hidden = convolve(functional.leaky_relu(convolve(images, weights[0]), 0.2), weights[1], stride=2)
        (gradient,) = torch.autograd.grad(hidden.square().sum(), images, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), weights)

    for ours, theirs in zip(penalty(conv2d), penalty(functional.conv2d), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_autocast_decides_the_precision_and_gradients_come_back_in_that_of_the_weights():
    images, weight = draw(1, 3, 6, 6).detach().float(), draw(4, 3, 3, 3).detach().float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = conv2d(images, weight, padding=1)
    assert outputs.dtype == torch.bfloat16
    outputs.sum().backward()
    assert weight.grad.dtype == torch.float32
