"""The loss of a search: named and weighted terms, each a function of one candidate per image."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from torch import Tensor, nn

from micrographia.config import Between
from micrographia.errors import UserError
from micrographia.inversion import terms
from micrographia.inversion.problem import Problem

Weight = Annotated[float, Between(0)]
AboveZero = Annotated[float, Between(1e-12)]


class Candidate:
    """One guess per image, and what the terms ask of it, each computed once.

    Parameters
    ----------
    problem
        Generator, degradation and flow.
    code
        ``(n, l, d)``: what the search moves; the styles themselves but on PULSE's sphere.
    styles
        ``(n, l, d)``: points of W, one per layer, or one for all layers (l = 1).
    images
        ``(n, channels, S, S)`` that the generator makes of the styles.
    target
        Low-resolution images ``(n, channels, s, s)``.
    """

    def __init__(self, problem: Problem, code: Tensor, styles: Tensor, images: Tensor, target: Tensor):
        self.problem = problem
        self.code = code
        self.styles = styles
        self.images = images
        self.target = target

    @cached_property
    def low(self) -> Tensor:
        """The images, degraded."""
        return self.problem.degrade(self.images)

    @cached_property
    def _gaussianised(self) -> tuple[Tensor, Tensor]:
        return self.problem.gaussianise(self.styles)

    @property
    def base(self) -> Tensor:
        """Styles in the flow's normal base, ``(n, l, d)``."""
        return self._gaussianised[0]

    @property
    def log_p(self) -> Tensor:
        """Log density of the styles under the flow, ``(n, l)``."""
        return self._gaussianised[1]


@dataclass(frozen=True)
class Term:
    """A term of the loss; called with a candidate it gives ``(n,)``, without its weight.

    Attributes
    ----------
    weight : float
        0 leaves the term out.
    needs : tuple of str
        Parts of the problem that may be missing and that the term cannot do without.
    """

    weight: Weight
    needs: ClassVar[tuple[str, ...]] = ()

    def __call__(self, candidate: Candidate) -> Tensor:
        """Value of each image."""
        raise NotImplementedError


@dataclass(frozen=True)
class L1(Term):
    """Mean absolute difference of low-resolution images."""

    def __call__(self, candidate: Candidate) -> Tensor:
        """See `terms.l1`."""
        return terms.l1(candidate.low, candidate.target)


@dataclass(frozen=True)
class L2(Term):
    """Mean squared difference of low-resolution images, with a floor."""

    floor: Weight = 0.0

    def __call__(self, candidate: Candidate) -> Tensor:
        """See `terms.l2`."""
        return terms.l2(candidate.low, candidate.target, self.floor)


@dataclass(frozen=True)
class Charbonnier(Term):
    """Smoothed mean absolute difference of low-resolution images."""

    epsilon: AboveZero = 1e-3

    def __call__(self, candidate: Candidate) -> Tensor:
        """See `terms.charbonnier`."""
        return terms.charbonnier(candidate.low, candidate.target, self.epsilon)


@dataclass(frozen=True)
class Poisson(Term):
    """Deviance of photon counts."""

    photons: AboveZero = 1000.0
    read_variance: Weight = 1.0

    def __post_init__(self) -> None:
        if self.photons == 0 or self.read_variance == 0:
            raise UserError("terms: a Poisson likelihood needs photons and read_variance above 0.")

    def __call__(self, candidate: Candidate) -> Tensor:
        """See `terms.poisson`."""
        return terms.poisson(candidate.low, candidate.target, self.photons, self.read_variance)


@dataclass(frozen=True)
class Perceptual(Term):
    """Mean squared difference of features of the low-resolution images.

    Attributes
    ----------
    features : Module
        From images ``(n, channels, s, s)`` in 0..1 to features ``(n, ...)``, differentiable.
    """

    features: nn.Module

    def __call__(self, candidate: Candidate) -> Tensor:
        """Mean over the features of one image."""
        features = self.features.to(candidate.low)
        return terms.l2(features(candidate.low), features(candidate.target))


@dataclass(frozen=True)
class LogP(Term):
    """Negative log density of the styles under the flow, nats, mean over the layers."""

    needs: ClassVar[tuple[str, ...]] = ("flow",)

    def __call__(self, candidate: Candidate) -> Tensor:
        """Mean over the layers."""
        return -candidate.log_p.mean(1)


@dataclass(frozen=True)
class PNorm(Term):
    """Squared distance of the flow's base from the Gaussian shell."""

    needs: ClassVar[tuple[str, ...]] = ("flow",)

    def __call__(self, candidate: Candidate) -> Tensor:
        """See `terms.p_norm`."""
        return terms.p_norm(candidate.base)


@dataclass(frozen=True)
class Cross(Term):
    """How far the layers' codes are from each other: euclidean (RLS), geodesic (PULSE) or cosine (BRGM)."""

    kind: Literal["euclidean", "geodesic", "cosine"] = "euclidean"

    def __call__(self, candidate: Candidate) -> Tensor:
        """See `terms.euclidean_cross`, `terms.geodesic_cross`, `terms.cosine_cross`."""
        return CROSS[self.kind](candidate.code)


CROSS = {"euclidean": terms.euclidean_cross, "geodesic": terms.geodesic_cross, "cosine": terms.cosine_cross}


@dataclass(frozen=True)
class GaussianizedW(Term):
    """Squared Mahalanobis distance in Gaussianised W."""

    def __call__(self, candidate: Candidate) -> Tensor:
        """See `terms.mahalanobis`."""
        problem = candidate.problem
        return terms.mahalanobis(terms.leaky(candidate.styles), problem.v_mean, problem.v_whitening)


@dataclass(frozen=True)
class MeanDistance(Term):
    """Squared distance of the styles from the mean of W, in units of W's spread."""

    def __call__(self, candidate: Candidate) -> Tensor:
        """See `terms.mean_distance`."""
        return terms.mean_distance(candidate.styles, candidate.problem.w_mean, candidate.problem.w_spread)


def weighted(terms: Mapping[str, Term], candidate: Candidate) -> dict[str, Tensor]:
    """Each term's part of the loss, ``(n,)``; those of weight 0 are not computed.

    Raises
    ------
    UserError
        If a term passes no gradient on where the search needs one: it would be without effect, and nobody would see it.
    """
    parts = {name: term.weight * term(candidate) for name, term in terms.items() if term.weight}
    if candidate.code.requires_grad:
        for name, part in parts.items():
            if not part.requires_grad:
                raise UserError(
                    f"terms.{name}: it gives no gradient, so that no search can follow it. Its network must "
                    "be differentiable in the images; a weight of 0 leaves the term out."
                )
    return parts
