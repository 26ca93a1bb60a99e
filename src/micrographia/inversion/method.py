"""What every method of super-resolution offers, and those that search nothing."""

from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from micrographia.config import Between
from micrographia.errors import UserError
from micrographia.inversion.descent import Watch
from micrographia.inversion.problem import Problem, frozen
from micrographia.inversion.solutions import Solutions, solved

Keep = Callable[[Solutions], None]


class Method:
    """What turns low-resolution images into high-resolution ones.

    Attributes
    ----------
    name : str
        Label in tables and metrics.
    solutions : int
        Per image.
    """

    name: str
    solutions: int = 1

    def solve(
        self, problem: Problem, low: Tensor, keys: Sequence[int], watch: Watch | None = None, keep: Keep | None = None
    ) -> Solutions:
        """Super-resolve a batch of usable images.

        Parameters
        ----------
        low
            ``(n, channels, s, s)`` in 0..1, finite.
        keys
            Which image each is: with the method's seed, all that its random numbers depend on.
        watch
            Called at times with the work done, in images.
        keep
            Called with the solutions of images as soon as they are done: in all, each image once.
        """
        raise NotImplementedError

    def check(self, problem: Problem) -> None:
        """Raise `UserError` if the problem lacks what the method needs."""

    def code_layers(self, problem: Problem) -> int | None:
        """Styles of one code; None where the method has no codes."""
        return None

    def chunk_size(self, problem: Problem) -> int:
        """Most images that are handled at once."""
        raise NotImplementedError


class DirectMethod(Method):
    """A method that answers in one pass.

    Parameters
    ----------
    name
        Label in tables and metrics.
    chunk
        Images per pass.
    """

    def __init__(self, name: str, chunk: Annotated[int, Between(1)] = 64):
        self.name = name
        self.chunk = chunk

    def images(self, problem: Problem, low: Tensor) -> Tensor:
        """High-resolution images of low-resolution ones."""
        raise NotImplementedError

    @torch.no_grad()
    def solve(
        self, problem: Problem, low: Tensor, keys: Sequence[int], watch: Watch | None = None, keep: Keep | None = None
    ) -> Solutions:
        """See `Method.solve`."""
        low = low.to(problem.like)
        found = solved(problem, low, keys, 1, self.images(problem, low))
        if keep is not None:
            keep(found)
        return found

    def chunk_size(self, problem: Problem) -> int:
        """As given."""
        return self.chunk


class Bicubic(DirectMethod):
    """Bicubic interpolation."""

    def images(self, problem: Problem, low: Tensor) -> Tensor:
        """Interpolated images."""
        return problem.interpolated(low)


class Supervised(DirectMethod):
    """A network that was trained on pairs: the upper reference.

    Parameters
    ----------
    network
        From low-resolution images to images of the generator's shape.
    name, chunk
        See `DirectMethod`.
    """

    def __init__(self, name: str, network: nn.Module, chunk: Annotated[int, Between(1)] = 64):
        super().__init__(name, chunk)
        self.network = network

    def check(self, problem: Problem) -> None:
        """Raise unless the network makes the generator's images of low-resolution ones."""
        known = next(self.network.parameters())
        try:
            with torch.no_grad(), frozen(self.network):
                made = tuple(self.network(torch.zeros(1, *problem.low_shape).to(known)).shape[1:])
        except (RuntimeError, NotImplementedError):  # channels that it does not take, or no image at all
            made = None
        if made != problem.shape:
            raise UserError(
                f"methods.{self.name}.network: it makes no images of shape {problem.shape}, as the generator does, of "
                f"low-resolution ones of {problem.low_shape}. Name a run of model=super_resolver on the same data and "
                "degradation."
            )

    def images(self, problem: Problem, low: Tensor) -> Tensor:
        """The network's answer."""
        with frozen(self.network):
            return self.network.to(low.device)(low.to(next(self.network.parameters()).dtype)).to(low)
