"""What the processes of a run tell each other in the middle of a batch; alone, nothing is asked."""

from typing import Any

import torch
from torch import Tensor, distributed
from torch.optim import Optimizer

from micrographia.devices.shares import Place


def mean_over(place: Place, value: Tensor) -> Tensor:
    """Mean of a value over all processes; its gradient is that of the own value, so that averaged gradients are right.

    A function of the mean over a batch is so differentiated as if the batch were in one process.
    """
    if place.size == 1:
        return value
    mean = value.detach().clone()
    distributed.all_reduce(mean)
    mean /= place.size
    return value + (mean - value.detach()) if value.requires_grad else mean


class SumOver(torch.autograd.Function):
    """Sum of a tensor over all processes, whose gradient is the sum of theirs."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        """The sum."""
        total = value.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        """The gradients' sum."""
        return SumOver.forward(context, gradient.contiguous())


def gathered(place: Place, rows: Tensor) -> Tensor:
    """Rows of all processes, as many of each, in the order of the processes; without gradients."""
    if place.size == 1:
        return rows
    parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(place.size)]
    distributed.all_gather(parts, rows.detach().contiguous())
    return torch.cat(parts)


def own_part(place: Place, rows: Tensor) -> Tensor:
    """The own part of rows that `gathered` has put together."""
    return rows.chunk(place.size)[place.rank]


def average_gradients(place: Place, optimizer: Optimizer) -> None:
    """Replace the gradients of an optimiser's parameters by their means over all processes."""
    if place.size == 1:
        return
    parameters = (parameter for group in optimizer.param_groups for parameter in group["params"])
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    together = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(together)
    together /= place.size
    parts = together.split([gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, parts, strict=True):
        gradient.copy_(mean.view(gradient.shape))
