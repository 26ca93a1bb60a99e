"""Convolutions whose derivatives of every order are convolutions.

torch takes the second derivative with respect to weights as a convolution with kernels of the image's size, and takes
it even where the weights are constant, as a blur's are. The penalties on gradients need second derivatives: by these
functions that on the discriminator takes half the time (benchmarks/stylegan2_steps.py).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function


class Geometry(NamedTuple):
    """What a convolution is beside its weights."""

    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    groups: int = 1
    transposed: bool = False

    def adjoint(self, inputs: Tensor, outputs: Tensor, kernel: int) -> "Geometry":
        """Of the convolution from gradients of outputs to gradients of inputs."""
        if self.transposed:
            return self._replace(transposed=False, output_padding=0)
        reached = (outputs.shape[-1] - 1) * self.stride - 2 * self.padding + kernel
        return self._replace(transposed=True, output_padding=inputs.shape[-1] - reached)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """As torch's operators take them."""
        pair = [self.output_padding] * 2
        return [self.stride] * 2, [self.padding] * 2, [1, 1], self.transposed, pair, self.groups


class Convolution(Function):
    """Outputs of images ``(n, inputs, h, w)``, weights and, if not None, a bias."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        """Convolve."""
        ctx.save_for_backward(images, weight)
        ctx.geometry = geometry
        with torch.autocast(images.device.type, enabled=False):
            return torch.ops.aten.convolution(images, weight, bias, *geometry.arguments)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of those inputs that need one."""
        images, weight = ctx.saved_tensors
        geometry = ctx.geometry
        of_images = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            adjoint = geometry.adjoint(images, gradient, weight.shape[-1])
            of_images = Convolution.apply(gradient, weight, None, adjoint)
        if ctx.needs_input_grad[1]:
            of_weight = WeightGradient.apply(gradient, images, weight.shape, geometry)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum((0, 2, 3))
        return of_images, of_weight, of_bias, None


class WeightGradient(Function):
    """Gradient of a convolution's weights, from that of its outputs and its images; bilinear in the two."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, images: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
        """Correlate images with gradients."""
        ctx.save_for_backward(gradient, images)
        ctx.geometry = geometry
        any_weight = gradient.new_empty(shape)  # only its shape is looked at
        arguments = (gradient, images, any_weight, None, *geometry.arguments, [False, True, False])
        return torch.ops.aten.convolution_backward(*arguments)[1]

    @staticmethod
    def backward(ctx: Any, of_weight: Tensor) -> tuple[Tensor | None, ...]:
        """Both derivatives are convolutions with the weights' gradient as weights."""
        gradient, images = ctx.saved_tensors
        geometry = ctx.geometry
        of_gradient = of_images = None
        if ctx.needs_input_grad[0]:
            of_gradient = Convolution.apply(images, of_weight, None, geometry)
        if ctx.needs_input_grad[1]:
            adjoint = geometry.adjoint(images, gradient, of_weight.shape[-1])
            of_images = Convolution.apply(gradient, of_weight, None, adjoint)
        return of_gradient, of_images, None, None


def conv2d(
    images: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1, padding: int = 0, groups: int = 1
) -> Tensor:
    """`torch.nn.functional.conv2d` for square kernels, differentiable any number of times."""
    return convolve(images, weight, bias, Geometry(stride, padding, groups=groups))


def conv_transpose2d(images: Tensor, weight: Tensor, stride: int = 1, padding: int = 0, groups: int = 1) -> Tensor:
    """`torch.nn.functional.conv_transpose2d` for square kernels, differentiable any number of times."""
    return convolve(images, weight, None, Geometry(stride, padding, groups=groups, transposed=True))


def convolve(images: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Convolve in autocast's precision, where that is on: all derivatives then have it too."""
    device = images.device.type
    if torch.is_autocast_enabled(device):
        precision = torch.get_autocast_dtype(device)
        images, weight = images.to(precision), weight.to(precision)
        bias = None if bias is None else bias.to(precision)
    if torch.onnx.is_in_onnx_export():  # a graph has no functions with derivatives of their own
        return torch.convolution(images, weight, bias, *geometry.arguments)
    return Convolution.apply(images, weight, bias, geometry)
