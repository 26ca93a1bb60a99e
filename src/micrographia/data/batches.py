"""Batch t, a pure function of (seed, t): a resumed training needs no loader state."""

from collections.abc import Callable, Iterator

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

Batch = dict[str, torch.Tensor]


def step_generator(seed: int, step: int, device: torch.device | str = "cpu") -> torch.Generator:
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
    generator = torch.Generator(device)
    # An odd multiplier mixes the seed into the high bits, so that neighbouring seeds share no step's stream.
    return generator.manual_seed((seed * 0x9E3779B97F4A7C15 + step) % 2**63)


def epoch_batch(count: int, batch_size: int, seed: int, step: int) -> torch.Tensor:
    """Indices of step ``step`` when each epoch is a fresh permutation of ``count`` items.

    The last, smaller batch of an epoch is filled from the epoch's beginning, so that all batches are equal in size.

    Returns
    -------
    Tensor of shape ``(min(batch_size, count),)``, int64.
    """
    batch_size = min(batch_size, count)
    steps_per_epoch = -(-count // batch_size)
    epoch, position = divmod(step, steps_per_epoch)
    order = torch.randperm(count, generator=step_generator(seed, epoch))
    start = position * batch_size
    chosen = order[start : start + batch_size]
    return torch.cat([chosen, order[: batch_size - len(chosen)]])


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


def step_loader(
    draw: Callable[[int], Batch], length: int, total: int, workers: int = 0, epoch: int = 0
) -> DataLoader[Batch]:
    """Loader of the batches of ``total`` steps, cut into Lightning epochs of ``length`` steps, from an epoch on."""
    return DataLoader(
        StepDataset(draw), batch_size=None, sampler=StepSampler(length, total, epoch), num_workers=workers
    )
