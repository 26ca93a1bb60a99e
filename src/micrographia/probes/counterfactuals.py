"""Counterfactuals: the smallest move of an image's latents that changes a probe's answer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.float64]
Answer = Callable[[Codes], NDArray]
"""From codes ``(n, latents)`` to the class of each, ``(n,)``."""

HALVINGS = 12  # of a move's length, down to a 4,000th of it
AXIS_STEPS = 21  # values of one latent that are tried
NEIGHBOURS = 20  # codes of the target class, the nearest ones, that are tried as ends of a move


@dataclass(frozen=True)
class Counterfactual:
    """A code that a probe answers otherwise.

    Attributes
    ----------
    code : ndarray
        ``(latents,)``.
    moves : ndarray
        How far each latent was moved, in standard deviations, signed; most are 0.
    """

    code: Codes
    moves: Codes

    @property
    def length(self) -> float:
        """Sum of the moves' sizes, in standard deviations."""
        return float(np.abs(self.moves).sum())


def counterfactual(answer: Answer, code: Codes, target: object, known: Codes) -> Counterfactual | None:
    """The shortest move found from a code to one that a probe takes for another class.

    A move's length is the sum of its sizes in standard deviations, so that few latents move (Wachter et al., 2018,
    equation 4). Each latent is moved alone through its range among known codes; and towards the nearest known codes of
    the target class (nearest unlike neighbours: Keane and Smyth, 2020), of which each latent's part is taken back where
    the answer allows it, the smallest first. What is found is shortened by halving. Nothing is asked of the probe but
    its answers: trees have no gradient.

    Parameters
    ----------
    answer
        The probe.
    code
        Of the image, ``(latents,)``.
    target
        Class that the probe shall answer.
    known
        Codes of other images, ``(n, latents)``, such as the training part's: they give ranges, deviations and ends.

    Returns
    -------
    Counterfactual, or None where no known code is taken for the target and no latent alone reaches it.

    References
    ----------
    Wachter, Mittelstadt and Russell, Counterfactual explanations without opening the black box, 2018; Keane and Smyth,
    Good counterfactuals and where to find them, 2020.

    Examples
    --------
    >>> known = np.random.default_rng(0).normal(size=(200, 3))
    >>> found = counterfactual(lambda codes: codes[:, 1] > 1, np.zeros(3), True, known)
    >>> found.moves.round(1).tolist(), round(float(found.code[1]), 1)
    ([0.0, 1.0, 0.0], 1.0)
    """
    deviations = known.std(axis=0)
    deviations = np.where(deviations > 0, deviations, 1.0)
    ends = np.concatenate([axis_ends(code, known), neighbours(answer, code, target, known, deviations)])
    ends = ends[answer(ends) == target]
    if not len(ends):
        return None
    ends = nearest(ends, code, deviations)[: 2 * NEIGHBOURS]
    ends = shortened(answer, code, sparse(answer, code, ends, target, deviations), target)
    shortest = nearest(ends, code, deviations)[0]
    return Counterfactual(shortest, (shortest - code) / deviations)


def nearest(codes: Codes, code: Codes, deviations: Codes) -> Codes:
    """Codes by the length of the move to them."""
    return codes[np.argsort(np.abs((codes - code) / deviations).sum(axis=1), kind="stable")]


def axis_ends(code: Codes, known: Codes) -> Codes:
    """The code with each latent alone at values from the least to the greatest known."""
    latents = len(code)
    ends = np.tile(code, (latents, AXIS_STEPS, 1))
    for latent in range(latents):
        ends[latent, :, latent] = np.linspace(known[:, latent].min(), known[:, latent].max(), AXIS_STEPS)
    return ends.reshape(-1, latents)


def neighbours(answer: Answer, code: Codes, target: object, known: Codes, deviations: Codes) -> Codes:
    """The nearest known codes that the probe takes for the target."""
    return nearest(known[answer(known) == target], code, deviations)[:NEIGHBOURS]


def sparse(answer: Answer, code: Codes, ends: Codes, target: object, deviations: Codes) -> Codes:
    """Ends with as many latents as possible where they were, those that moved least taken back first."""
    ends, rows = ends.copy(), np.arange(len(ends))
    for latents in np.argsort(np.abs((ends - code) / deviations), axis=1, kind="stable").T:
        tried = ends.copy()
        tried[rows, latents] = code[latents]
        ends = np.where((answer(tried) == target)[:, None], tried, ends)
    return ends


def shortened(answer: Answer, code: Codes, ends: Codes, target: object) -> Codes:
    """Ends drawn back as far as the answer allows: each latent by halving, then all together."""
    for latents in [*([latent] for latent in range(len(code))), list(range(len(code)))]:
        moved = np.zeros(len(code), bool)
        moved[latents] = True
        inside, outside = np.ones((len(ends), 1)), np.zeros((len(ends), 1))  # shares of the move: the target, and not
        for _ in range(HALVINGS):
            middle = (inside + outside) / 2
            right = (answer(np.where(moved, code + middle * (ends - code), ends)) == target)[:, None]
            inside, outside = np.where(right, middle, inside), np.where(right, outside, middle)
        ends = np.where(moved, code + inside * (ends - code), ends)
    return ends
