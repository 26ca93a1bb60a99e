"""Batch t, a pure function of (seed, t): a resumed training needs no loader state."""

from collections.abc import Callable, Iterator

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from micrographia.devices.shares import BatchGenerator

Batch = dict[str, torch.Tensor]
OrderOf = Callable[[int, int], torch.Tensor]
"""From seed and epoch to the order of an epoch's items."""


def step_generator(seed: int, step: int, device: torch.device | str = "cpu") -> BatchGenerator:
    """Generator of the random numbers of one training step.

    Parameters
    ----------
    seed, step
        Non-negative integers; every pair has a stream of its own.

    Examples
    --------
    >>> first, again = (torch.rand(2, generator=step_generator(0, 7)) for _ in range(2))
    >>> bool((first == again).all())
    True
    """
    generator = BatchGenerator(device)
    # An odd multiplier mixes the seed into the high bits, so that neighbouring seeds share no step's stream.
    generator.manual_seed((seed * 0x9E3779B97F4A7C15 + step) % 2**63)
    return generator


def epoch_batch(count: int, batch_size: int, seed: int, step: int, order_of: OrderOf | None = None) -> torch.Tensor:
    """Indices of step ``step`` when each epoch is a fresh permutation of ``count`` items.

    The last, smaller batch of an epoch is filled from the epoch's beginning, so that all batches are equal in size.

    Parameters
    ----------
    order_of
        Another order of an epoch, of ``count`` items too.

    Returns
    -------
    Tensor of shape ``(min(batch_size, count),)``, int64.
    """
    batch_size = min(batch_size, count)
    steps_per_epoch = -(-count // batch_size)
    epoch, position = divmod(step, steps_per_epoch)
    order = order_of(seed, epoch) if order_of else torch.randperm(count, generator=step_generator(seed, epoch))
    start = position * batch_size
    chosen = order[start : start + batch_size]
    return torch.cat([chosen, order[: batch_size - len(chosen)]])


class BalancedOrder:
    """Orders of epochs in which every class occurs as often as every other, up to one.

    Classes with few items repeat them, each as often as the next up to one; of large classes each epoch takes others.

    Parameters
    ----------
    codes
        Class of each item, ``(n,)``, int64.

    Examples
    --------
    >>> codes = torch.tensor([0, 0, 0, 0, 0, 1])
    >>> codes[BalancedOrder(codes)(seed=0, epoch=0)].bincount()
    tensor([3, 3])
    """

    def __init__(self, codes: torch.Tensor):
        self.members = [(codes == code).nonzero().flatten() for code in codes.unique()]
        self.count = len(codes)
        self.last: tuple[tuple[int, int], torch.Tensor] | None = None

    def __call__(self, seed: int, epoch: int) -> torch.Tensor:
        """Positions ``(n,)`` of one epoch."""
        if self.last is None or self.last[0] != (seed, epoch):
            self.last = (seed, epoch), self.draw(step_generator(seed, epoch))
        return self.last[1]

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """Draw an order."""
        share, rest = divmod(self.count, len(self.members))
        extra = set(torch.randperm(len(self.members), generator=generator)[:rest].tolist())
        chosen = []
        for number, members in enumerate(self.members):
            wanted = share + (number in extra)
            own = members[torch.randperm(len(members), generator=generator)]
            chosen.append(own.repeat(-(-wanted // len(own)))[:wanted])
        together = torch.cat(chosen)
        return together[torch.randperm(len(together), generator=generator)]


class StepDataset(Dataset[Batch]):
    """Dataset whose item t is the whole batch of step t."""

    def __init__(self, draw: Callable[[int], Batch]):
        self.draw = draw

    def __getitem__(self, step: int) -> Batch:
        return self.draw(step)


class StepSampler(Sampler[int]):
    """Steps of one Lightning epoch: epoch e has steps ``e * length`` and after, up to ``total``."""

    def __init__(self, length: int, total: int, epoch: int = 0):
        self.length = length
        self.total = total
        self.epoch = epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        start = self.epoch * self.length
        return iter(range(start, min(start + self.length, self.total)))

    def __len__(self) -> int:
        return max(0, min(self.length, self.total - self.epoch * self.length))


def step_loader(draw: Callable[[int], Batch], length: int, total: int, workers: int = 0) -> DataLoader[Batch]:
    """Loader of the batches of ``total`` steps, cut into Lightning epochs of ``length`` steps: see `StepSampler`.

    Its workers outlast an epoch.
    """
    return DataLoader(
        StepDataset(draw),
        batch_size=None,
        sampler=StepSampler(length, total),
        num_workers=workers,
        persistent_workers=workers > 0,
    )
