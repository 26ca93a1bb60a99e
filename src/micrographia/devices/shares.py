"""Which rows of a batch are a process's own, and random numbers for them that do not depend on how many there are."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Place:
    """A process among those of a run.

    Parameters
    ----------
    rank
        From 0 on; process 0 holds the run's lock, and alone writes.
    size
        Number of processes.

    Examples
    --------
    >>> Place(1, 2).share(6).rows, Place(1, 2).share(5).rows
    (tensor([3, 4, 5]), tensor([3, 4]))
    """

    rank: int = 0
    size: int = 1

    def share(self, total: int, groups: int = 1) -> "Share":
        """The own rows of a batch of so many.

        Parameters
        ----------
        total
            Rows of the whole batch.
        groups
            Equal parts of the batch of each of which a share is taken, where they can be divided so: what compares row
            i with rows ``i + total / groups``, ... finds them in one process.
        """
        rows = torch.arange(total)
        rows = rows.view(groups, -1) if total % (groups * self.size) == 0 else rows[None]
        return Share(rows.tensor_split(self.size, 1)[self.rank].flatten(), total, self)


ALONE = Place()


@dataclass(frozen=True)
class Share:
    """Rows of a batch that are a process's own.

    Parameters
    ----------
    rows
        Their positions in the batch, int64.
    total
        Rows of the whole batch.
    place
        Whose they are.
    """

    rows: Tensor
    total: int
    place: Place

    def of(self, count: int) -> tuple[Tensor, int]:
        """Positions of ``count`` own rows, and how many rows all processes have of their kind.

        Of a multiple of the batch, as pairs have, the whole is so many batches one after the other.
        """
        times, rest = divmod(count, len(self.rows))
        assert not rest, f"{count} rows are drawn for a share of {len(self.rows)}"
        starts = torch.arange(times)[:, None] * self.total
        return (starts + self.rows).flatten(), times * self.total


class BatchGenerator(torch.Generator):
    """Random numbers of a batch; ``share`` says which of its rows are computed in this process. None: all of them."""

    share: Share | None = None


@contextmanager
def smaller_batch(generator: torch.Generator, rows: int) -> Iterator[None]:
    """Draw for so many own rows in the meantime, fewer than the batch has, and as many in every process."""
    share = generator.share if isinstance(generator, BatchGenerator) else None
    if share is None:
        yield
        return
    assert isinstance(generator, BatchGenerator)
    generator.share = share.place.share(rows * share.place.size)
    try:
        yield
    finally:
        generator.share = share


def drawn(
    draw: Callable[..., Tensor], shape: Sequence[int], generator: torch.Generator, dim: int = 0, **options: Any
) -> Tensor:
    """Random numbers of the own rows of a batch: those that one process alone would have drawn for them.

    Parameters
    ----------
    draw
        ``torch.randn``, ``torch.rand`` or what is called alike.
    shape
        Of the own rows.
    generator
        Of the batch; every process draws the whole batch's numbers from it.
    dim
        Where the rows are counted.
    options
        Of ``draw``, as ``dtype``.

    Examples
    --------
    >>> halves = []
    >>> for rank in range(2):
    ...     generator = BatchGenerator().manual_seed(0)
    ...     generator.share = Place(rank, 2).share(4)
    ...     halves.append(drawn(torch.randn, (2, 3), generator))
    >>> whole = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    >>> bool((torch.cat(halves) == whole).all())
    True
    """
    share = generator.share if isinstance(generator, BatchGenerator) else None
    options = {"device": generator.device, **options, "generator": generator}
    if share is None:
        return draw(tuple(shape), **options)
    rows, total = share.of(shape[dim])
    whole = draw((*shape[:dim], total, *shape[dim + 1 :]), **options)
    return whole.index_select(dim, rows.to(whole.device))
