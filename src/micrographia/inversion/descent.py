"""Descent of many losses at once, each in its own variables: no image's path depends on who shares its batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from micrographia.inversion.schedule import Schedule, Settling

Values = dict[str, Tensor]
Evaluate = Callable[[Values, Tensor], Mapping[str, Tensor]]
"""From variables ``(m, ...)`` of the images that are left, and their rows ``(m,)``, to terms of the loss, ``(m,)``."""
Watch = Callable[[float], None]
Leave = Callable[[Tensor, "Found"], None]
"""From rows ``(m,)`` of images that are done, and what was found of them."""

WATCH_INTERVAL = 10
"""Steps between two reports of progress."""


@dataclass(frozen=True)
class Variable:
    """What a descent changes: one tensor whose row i is image i's alone.

    Attributes
    ----------
    start : Tensor
        ``(n, ...)``.
    lr : float
        Adam's learning rate, before the schedule's factor.
    constrain : callable, optional
        From values ``(m, ...)`` after a step and their rows to values that fulfil a constraint.
    axes : Tensor, optional
        Directions in each of which Adam scales its steps, for values ``(n, l, d)``: columns of orthogonal matrices
        ``(l, d, d)``. None: the values' own entries.
    """

    start: Tensor
    lr: float
    constrain: Callable[[Tensor, Tensor], Tensor] | None = None
    axes: Tensor | None = None


@dataclass(frozen=True)
class Found:
    """Each image's variables at its lowest loss.

    Attributes
    ----------
    values : dict of str to Tensor
        ``(n, ...)``; the start where no loss was finite.
    terms : dict of str to Tensor
        Terms of the lowest loss, ``(n,)``; they sum to it.
    loss : Tensor
        ``(n,)``; infinite where no loss was finite.
    steps : Tensor
        Evaluations of the loss, ``(n,)``, int64.
    diverged : Tensor
        ``(n,)``, bool: the loss became infinite or NaN, and the image left at the next look.
    """

    values: Values
    terms: dict[str, Tensor]
    loss: Tensor
    steps: Tensor
    diverged: Tensor

    def select(self, rows: Tensor) -> "Found":
        """What was found of some images."""
        return Found(
            {name: value[rows] for name, value in self.values.items()},
            {name: term[rows] for name, term in self.terms.items()},
            self.loss[rows],
            self.steps[rows],
            self.diverged[rows],
        )


class BatchAdam:
    """Adam on rows that begin together, each at its own rate.

    The moments are kept per row, so that a row's steps are those it would take alone; where a variable has axes,
    they are moments of its gradients' entries along these.

    References
    ----------
    Kingma & Ba, Adam, ICLR 2015 (arXiv 1412.6980); along axes as in Vyas et al., SOAP, ICLR 2025 (arXiv 2409.11321),
    but fixed ones.
    """

    def __init__(
        self,
        values: Values,
        axes: Mapping[str, Tensor] | None = None,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ):
        self.axes = axes or {}
        self.means = {name: torch.zeros_like(value) for name, value in values.items()}
        self.squares = {name: torch.zeros_like(value) for name, value in values.items()}
        self.betas = betas
        self.epsilon = epsilon
        self.steps = 0

    @torch.no_grad()
    def step(self, values: Values, gradients: Values, rates: Mapping[str, Tensor]) -> Values:
        """New values after one step, at rates ``(m,)`` per variable."""
        self.steps += 1
        first, second = self.betas
        moved = {}
        for name, value in values.items():
            mean, square, gradient = self.means[name], self.squares[name], gradients[name]
            axes = self.axes.get(name)
            if axes is not None:
                gradient = torch.einsum("nld,lda->nla", gradient, axes)
            mean.lerp_(gradient, 1 - first)
            square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
            deviation = (square / (1 - second**self.steps)).sqrt_().add_(self.epsilon)
            rate = rates[name] / (1 - first**self.steps)
            step = mean / deviation * rate.view(-1, *[1] * (value.dim() - 1))
            moved[name] = value - (step if axes is None else torch.einsum("nla,lda->nld", step, axes))
        return moved

    def select(self, kept: Tensor) -> None:
        """Go on with some rows only."""
        self.means = {name: mean[kept] for name, mean in self.means.items()}
        self.squares = {name: square[kept] for name, square in self.squares.items()}


def descend(
    evaluate: Evaluate,
    variables: Mapping[str, Variable],
    schedule: Schedule,
    settling: Settling | None = None,
    watch: Watch | None = None,
    leave: Leave | None = None,
) -> Found:
    """Descend each image's loss by Adam along its own schedule, and return each image's best.

    The losses are summed, so that the gradient of one image's variables is of its own loss alone, provided that
    ``evaluate`` mixes no images. An image that settles after the schedule's peak goes to the last descent; those at the
    end leave, and the batch shrinks.

    Parameters
    ----------
    evaluate
        Called with the variables of the images that are left, and with their rows among all.
    variables
        By name; all of n rows.
    settling
        None: every image takes all steps.
    watch
        Called at times with the work done in images, up to n.
    leave
        Called with the images that leave, as soon as they do.
    """
    values = {name: variable.start.detach().clone() for name, variable in variables.items()}
    count, device = len(next(iter(values.values()))), next(iter(values.values())).device
    adam = BatchAdam(values, {name: own.axes for name, own in variables.items() if own.axes is not None})
    position = np.zeros(count, np.int64)  # of each image that is left, in the schedule
    rows = torch.arange(count, device=device)
    best: Best | None = None
    left: list[Found] = []
    left_rows: list[Tensor] = []
    done, step = 0, 0

    while True:
        values = {name: value.requires_grad_() for name, value in values.items()}
        terms = evaluate(values, rows)
        loss = torch.stack(list(terms.values())).sum(0)
        gradients = dict(zip(values, torch.autograd.grad(loss.sum(), list(values.values())), strict=True))
        values = {name: value.detach() for name, value in values.items()}
        best = Best.begin(values, terms, loss) if best is None else best
        best.update(values, terms, loss)
        step += 1

        leaving = position >= schedule.steps - 1
        if settling is not None and step % settling.window == 0:
            stuck = best.settled(settling) & (position >= schedule.peak_step) & (position < schedule.drop_step)
            position[stuck] = schedule.drop_step - 1
            leaving = leaving | ~loss.isfinite().cpu().numpy()  # a path that has diverged does not come back
        if leaving.any():
            gone, kept = (torch.as_tensor(np.flatnonzero(mask), device=device) for mask in (leaving, ~leaving))
            left.append(best.leave(gone, step, loss))
            left_rows.append(rows[gone])
            if leave is not None:
                leave(left_rows[-1], left[-1])
            best.select(kept)
            adam.select(kept)
            rows, position, done = rows[kept], position[~leaving], done + len(gone)
            values, gradients = (
                {name: tensor[kept] for name, tensor in found.items()} for found in (values, gradients)
            )
        if watch is not None and (step % WATCH_INTERVAL == 0 or not len(rows)):
            watch(done + float(position.sum()) / schedule.steps)
        if not len(rows):
            break

        factor = torch.as_tensor(schedule.factor(position), dtype=loss.dtype, device=device)
        values = adam.step(values, gradients, {name: variable.lr * factor for name, variable in variables.items()})
        for name, variable in variables.items():
            if variable.constrain is not None:
                values[name] = variable.constrain(values[name], rows)
        position += 1
    return joined(left).select(torch.cat(left_rows).argsort())


class Best:
    """The lowest loss of each image so far, and its variables there."""

    def __init__(self, values: Values, terms: dict[str, Tensor], loss: Tensor, first: Tensor):
        self.values = values
        self.terms = terms
        self.loss = loss
        self.first = first
        self.total = torch.zeros_like(first)  # of the losses since the last look

    @classmethod
    def begin(cls, values: Values, terms: Mapping[str, Tensor], loss: Tensor) -> "Best":
        """Nothing found yet; the variables are the start's."""
        none = {name: torch.full_like(term, torch.nan) for name, term in terms.items()}
        loss = loss.detach()
        return cls(
            {name: value.clone() for name, value in values.items()}, none, torch.full_like(loss, torch.inf), loss
        )

    @torch.no_grad()
    def update(self, values: Values, terms: Mapping[str, Tensor], loss: Tensor) -> None:
        """Take over what is lower; a NaN is not."""
        lower = loss < self.loss
        self.total = self.total + loss
        self.loss = torch.where(lower, loss, self.loss)
        self.terms = {name: torch.where(lower, term, self.terms[name]) for name, term in terms.items()}
        for name, value in values.items():
            self.values[name] = torch.where(lower.view(-1, *[1] * (value.dim() - 1)), value, self.values[name])

    def settled(self, settling: Settling) -> np.ndarray:
        """Which images have settled, by the losses since the last look."""
        losses = (self.first, self.total / settling.window, self.loss)
        self.total = torch.zeros_like(self.total)
        first, mean, best = (loss.cpu().double().numpy() for loss in losses)
        return settling.settled(first, mean, best)

    def leave(self, gone: Tensor, steps: int, loss: Tensor) -> Found:
        """The best of the images that leave, after so many steps and with such a last loss."""
        return Found(
            {name: value[gone] for name, value in self.values.items()},
            {name: term[gone] for name, term in self.terms.items()},
            self.loss[gone],
            torch.full_like(gone, steps),
            ~loss.detach()[gone].isfinite(),
        )

    def select(self, kept: Tensor) -> None:
        """Go on with some images only."""
        self.values = {name: value[kept] for name, value in self.values.items()}
        self.terms = {name: term[kept] for name, term in self.terms.items()}
        self.loss, self.first, self.total = self.loss[kept], self.first[kept], self.total[kept]


def joined(parts: list[Found]) -> Found:
    """What was found in several batches, one after the other."""
    return Found(
        {name: torch.cat([part.values[name] for part in parts]) for name in parts[0].values},
        {name: torch.cat([part.terms[name] for part in parts]) for name in parts[0].terms},
        torch.cat([part.loss for part in parts]),
        torch.cat([part.steps for part in parts]),
        torch.cat([part.diverged for part in parts]),
    )
