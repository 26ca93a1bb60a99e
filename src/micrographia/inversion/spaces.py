"""The spaces in which a search moves, each with its way to the generator's styles."""

from collections.abc import Mapping

import torch
from torch import Tensor

from micrographia.inversion.problem import Problem
from micrographia.inversion.terms import SLOPE, leaky


class WPlus:
    """W+: a style of its own for each layer."""

    def layers(self, problem: Problem) -> int:
        """Styles that an image has here."""
        return problem.layers

    def code(self, problem: Problem, styles: Tensor) -> Tensor:
        """Codes ``(n, l, d)`` nearest to styles ``(n, l, d)``."""
        return styles

    def styles(self, problem: Problem, code: Tensor) -> Tensor:
        """Styles of codes."""
        return code

    def constrain(self, code: Tensor, rows: Tensor) -> Tensor:
        """Codes that a step led to, brought back into the space."""
        return code


class W(WPlus):
    """W: one style for all layers."""

    def layers(self, problem: Problem) -> int:
        """One."""
        return 1


class Sphere(WPlus):
    """PULSE's space: v_l on the sphere of radius sqrt(d), and ``w_l = LReLU_.2(std v_l + mean)``.

    Mean and standard deviation are of LReLU_5 of mapped samples, which makes the mapping's last layer a linear one.

    References
    ----------
    Menon et al., PULSE, CVPR 2020 (arXiv 2003.03808).
    """

    def code(self, problem: Problem, styles: Tensor) -> Tensor:
        """Standardised LReLU_5 of the styles, moved to the sphere along the ray."""
        return on_sphere((leaky(styles) - problem.v_mean) / problem.v_std)

    def styles(self, problem: Problem, code: Tensor) -> Tensor:
        """Styles of points on the sphere."""
        return leaky(problem.v_std * code + problem.v_mean, 1 / SLOPE)

    def constrain(self, code: Tensor, rows: Tensor) -> Tensor:
        """Back to the sphere along the ray."""
        return on_sphere(code)


def on_sphere(vectors: Tensor) -> Tensor:
    """Vectors ``(..., d)`` scaled to length sqrt(d).

    Examples
    --------
    >>> on_sphere(torch.tensor([0.0, 0.0, 0.0, 3.0]))
    tensor([0., 0., 0., 2.])
    """
    return vectors * (vectors.shape[-1] ** 0.5 / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True))


def map_on_sphere(maps: Tensor) -> Tensor:
    """Noise maps ``(n, 1, s, s)`` scaled to unit mean square, as PULSE keeps them."""
    return on_sphere(maps.flatten(1)).view(maps.shape)


def normalised_map(maps: Tensor) -> Tensor:
    """Noise maps ``(n, 1, s, s)`` moved to mean 0 and scaled to unit mean square, as RLS+ keeps them."""
    return map_on_sphere(maps - maps.mean((2, 3), keepdim=True))


def noise_of(values: Mapping[str, Tensor]) -> list[Tensor] | None:
    """Noise maps among the variables of a search, from the first layer on; None where there are none."""
    maps = [values[f"noise{level}"] for level in range(len(values)) if f"noise{level}" in values]
    return maps or None


def project_on_l1_ball(vectors: Tensor, radius: float) -> Tensor:
    """Nearest points ``(..., d)`` whose absolute values sum to at most ``radius``.

    References
    ----------
    Duchi et al., Efficient projections onto the l1-ball for learning in high dimensions, ICML 2008, figure 1.

    Examples
    --------
    >>> project_on_l1_ball(torch.tensor([[3.0, -1.0], [0.5, 0.25]]), 2.0)
    tensor([[2.0000, -0.0000],
            [0.5000, 0.2500]])
    """
    sizes = vectors.abs()
    ordered = sizes.sort(dim=-1, descending=True).values
    excess = ordered.cumsum(-1) - radius
    places = torch.arange(1, vectors.shape[-1] + 1, device=vectors.device)
    # The largest number of entries that stay positive when all are lowered alike.
    support = (ordered * places > excess).sum(-1, keepdim=True).clamp(min=1)
    threshold = (excess.gather(-1, support - 1) / support).clamp(min=0)
    return vectors.sign() * (sizes - threshold).clamp(min=0)
