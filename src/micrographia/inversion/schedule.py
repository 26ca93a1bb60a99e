"""The learning rate's course over the steps of a search, and when an image has settled."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from micrographia.config import Between
from micrographia.errors import UserError

Share = Annotated[float, Between(0, 1)]


@dataclass(frozen=True)
class Schedule:
    """Factor on the learning rate: linear from ``initial`` up to 1, down to ``initial``, then down to ``final``.

    Parameters
    ----------
    steps
        Steps of an image that does not settle.
    initial
        Factor at the first step and at ``drop``; 1 together with ``final`` 1 is a constant rate.
    final
        Factor at the end.
    peak, drop
        Where the factor is 1 and where the last descent begins, as shares of the steps; ``peak < drop < 1``.

    References
    ----------
    ``linear1cycledrop`` of PULSE (arXiv 2003.03808), which RLS (arXiv 2405.19112) takes over.

    Examples
    --------
    >>> Schedule(steps=100).factor([0, 45, 90, 100]).round(3)
    array([0.1  , 1.   , 0.1  , 0.001])
    """

    steps: Annotated[int, Between(1)]
    initial: Share = 0.1
    final: Share = 0.001
    peak: Share = 0.45
    drop: Share = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.peak < self.drop < 1:
            raise UserError(f"schedule: peak={self.peak}, drop={self.drop}; expected 0 < peak < drop < 1.")

    def factor(self, position: ArrayLike) -> NDArray[np.float64]:
        """Factor at steps done, ``(n,)``."""
        shares = np.asarray(position) / self.steps
        return np.interp(shares, [0, self.peak, self.drop, 1], [self.initial, 1, self.initial, self.final])

    @property
    def peak_step(self) -> int:
        """First step at or after the peak."""
        return int(np.ceil(self.peak * self.steps))

    @property
    def drop_step(self) -> int:
        """First step of the last descent, which every image runs."""
        return int(np.ceil(self.drop * self.steps))


@dataclass(frozen=True)
class Settling:
    """When an image's loss no longer falls: it then goes to the schedule's last descent, and after it leaves.

    Parameters
    ----------
    window
        Steps between two looks.
    tolerance
        Settled, if the mean loss of the window is above the best so far by at most this share of the whole fall. It is
        above it while the loss falls, and while steps are still so large that smaller ones would lower it. A share of
        the fall depends neither on the loss's scale nor on a constant in it, as a log density has.
    """

    window: Annotated[int, Between(1)] = 25
    tolerance: Share = 0.02

    def settled(
        self, first: NDArray[np.float64], mean: NDArray[np.float64], best: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Whether each image has settled, from its first loss, the window's mean and the best so far.

        Examples
        --------
        >>> Settling(tolerance=0.01).settled(np.array([9.0, 9.0]), np.array([1.5, 1.05]), np.array([1.0, 1.0]))
        array([False,  True])
        """
        return mean - best <= self.tolerance * (first - best)
