"""Batch normalisation by the statistics of the whole batch, wherever its parts are.

PyTorch's SyncBatchNorm does the same on GPUs only.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn

from micrographia.devices.collective import SumOver


class WholeBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose mean and variance are those of all processes' images in training, gradients included."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (its name in nn.BatchNorm2d)
        """Normalised feature maps ``(n, channels, h, w)``, as many images in every process."""
        if not self.training:
            return super().forward(input)
        processes = distributed.get_world_size()
        mean = SumOver.apply(input.mean((0, 2, 3))) / processes
        centred = input - mean[:, None, None]
        variance = SumOver.apply(centred.square().mean((0, 2, 3))) / processes
        self.follow(mean.detach(), variance.detach(), input.numel() // len(mean) * processes)
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale[:, None, None] + self.bias[:, None, None]

    @torch.no_grad()
    def follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics, of the variance without its bias."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)


@contextmanager
def whole_batch_statistics(model: nn.Module) -> Iterator[None]:
    """Let a model's batch norms see the whole batch while it is trained by several processes."""
    norms = [module for module in model.modules() if type(module) is nn.BatchNorm2d]
    for norm in norms:
        norm.__class__ = WholeBatchNorm2d  # the same parameters, of which the optimiser knows
    try:
        yield
    finally:
        for norm in norms:
            norm.__class__ = nn.BatchNorm2d
