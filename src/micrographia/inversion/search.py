"""Regularised latent search and its relatives: a space, a start, a list of terms and a schedule."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor

from micrographia.config import Between
from micrographia.errors import UserError
from micrographia.inversion.descent import Evaluate, Found, Leave, Values, Variable, Watch, descend, joined
from micrographia.inversion.memory import bytes_per_image
from micrographia.inversion.method import Keep, Method
from micrographia.inversion.objective import Candidate, Term, weighted
from micrographia.inversion.problem import Problem, frozen
from micrographia.inversion.schedule import Schedule, Settling
from micrographia.inversion.solutions import Solutions, concatenated, solved
from micrographia.inversion.spaces import Sphere, WPlus, map_on_sphere, noise_of
from micrographia.inversion.starts import Start, keyed_noise
from micrographia.inversion.tuning import Tuning

Positive = Annotated[int, Between(1)]


class LatentSearch(Method):
    """Search of a generator's latents for images that explain low-resolution ones, many at once.

    Every solution of every image has its own code, its own moments of Adam, its own place in the schedule and its own
    best so far; what it becomes does not depend on what else is in the batch.

    Parameters
    ----------
    name
        Label in tables and metrics.
    terms
        Of the loss, by name; one of them is called ``data``.
    schedule
        Steps, and the learning rate's course.
    start
        First styles.
    space
        Where the codes lie.
    lr
        Adam's learning rate of the codes, and of noise maps where they are moved.
    axes
        Along which Adam scales the codes' steps: ``styles``, their own entries; ``encoder``, those of the gradients
        that the problem's encoder met while it learned, in W or W+.
    seed
        Of starts and noise maps, with the image's key and the solution's number.
    solutions
        Per image, from different starts.
    trainable_noise
        First noise maps that are searched too, on their sphere, from normal noise (PULSE: 5); all where a generator has
        fewer.
    settling
        When an image has settled; None: each takes all steps.
    tuning
        Of noise maps and weights after the search (RLS+); None: none.
    chunk
        Most images searched at once.
    memory_gb
        Most memory that a chunk may take, decimal gigabytes; more solutions or larger images make smaller chunks.

    References
    ----------
    Gheisari & Genovesio, Reconstructing interpretable features in computational super-resolution microscopy via
    regularized latent search, Biological Imaging 2024 (arXiv 2405.19112).
    """

    def __init__(
        self,
        name: str,
        terms: Mapping[str, Term | None],
        schedule: Schedule,
        start: Start,
        space: WPlus,
        lr: Annotated[float, Between(0)],
        seed: int,
        axes: Literal["styles", "encoder"] = "styles",
        solutions: Positive = 1,
        trainable_noise: Annotated[int, Between(0)] = 0,
        settling: Settling | None = None,
        tuning: Tuning | None = None,
        chunk: Positive = 32,
        memory_gb: Annotated[float, Between(0)] = 4.0,
    ):
        self.terms = {name: term for name, term in terms.items() if term is not None}
        if "data" not in self.terms or not any(term.weight for term in self.terms.values()):
            raise UserError(f"inversion {name}: its terms need one called data, and one of a weight above 0.")
        if tuning is not None and (isinstance(space, Sphere) or trainable_noise):
            raise UserError(f"inversion {name}: tuning follows a search in W or W+ with fixed noise maps.")
        if axes == "encoder" and isinstance(space, Sphere):
            raise UserError(f"inversion {name}: axes=encoder are of W and W+, not of the sphere. Set axes=styles.")
        self.name = name
        self.schedule = schedule
        self.start = start
        self.space = space
        self.lr = lr
        self.axes = axes
        self.seed = seed
        self.solutions = solutions
        self.trainable_noise = trainable_noise
        self.settling = settling
        self.tuning = tuning
        self.chunk = chunk
        self.memory_gb = memory_gb

    def solve(
        self, problem: Problem, low: Tensor, keys: Sequence[int], watch: Watch | None = None, keep: Keep | None = None
    ) -> Solutions:
        """See `Method.solve`; images that have settled are handed to ``keep`` while others are still searched."""
        self.check(problem)
        low = low.to(problem.like)
        targets = low.repeat_interleave(self.solutions, 0)
        parts: list[Solutions] = []

        def finish(images: Tensor, found: Found) -> None:
            own = [keys[image] for image in images.tolist()]
            parts.append(self.solved(problem, low[images.to(low.device)], own, found))
            if keep is not None:
                keep(parts[-1])

        with frozen(problem):
            whole = WholeImages(self.solutions, finish)
            variables = self.variables(problem, targets, keys)
            shown = None if watch is None else lambda done: watch(done / self.solutions)
            leave = whole if self.tuning is None else self.tuned(self.tuning, problem, targets, whole)
            descend(self.evaluation(problem, targets), variables, self.schedule, self.settling, shown, leave)
        return concatenated(parts, keys)

    def tuned(self, tuning: Tuning, problem: Problem, targets: Tensor, leave: Leave) -> Leave:
        """What tunes the images that leave a search, then lets them leave."""

        def tune(rows: Tensor, found: Found) -> None:
            def leave_too(inner: Tensor, part: Found) -> None:
                leave(rows[inner], part)

            tuning.refine(problem, self.terms["data"], found, targets[rows], self.memory_gb, leave_too)

        return tune

    def solved(self, problem: Problem, low: Tensor, keys: Sequence[int], found: Found) -> Solutions:
        """Solutions of images of which all solutions are found."""
        styles = self.space.styles(problem, found.values["code"])
        images = found.values["image"] if "image" in found.values else self.images(problem, found.values)
        losses = {f"loss/{name}": part for name, part in found.terms.items()}
        columns = {"loss": found.loss, **losses, "steps": found.steps}
        return solved(problem, low, keys, self.solutions, images, styles, columns, found.diverged)

    def check(self, problem: Problem) -> None:
        """Raise if the problem lacks what the method needs."""
        for term in self.terms.values():
            for needed in term.needs if term.weight else ():
                problem.require(needed, f"inversion {self.name}")
        if "encoder" in (self.start.kind, self.axes):
            problem.require("encoder", f"inversion {self.name}")

    def variables(self, problem: Problem, targets: Tensor, keys: Sequence[int]) -> dict[str, Variable]:
        """What is searched: a code for every solution, and noise maps."""
        whose = [key for key in keys for _ in range(self.solutions)]
        which = list(range(self.solutions)) * len(keys)
        styles = self.start.styles(problem, targets, whose, which, self.seed, self.space.layers(problem))
        code = self.space.code(problem, styles).contiguous()
        axes = problem.encoder.axes(code.shape[1]).to(code) if self.axes == "encoder" else None
        variables = {"code": Variable(code, self.lr, self.space.constrain, axes)}
        for level, own in enumerate(problem.noise()[: self.trainable_noise]):
            drawn = keyed_noise(tuple(own.shape[1:]), whose, which, self.seed, level).to(own)
            variables[f"noise{level}"] = Variable(map_on_sphere(drawn), self.lr, lambda maps, _: map_on_sphere(maps))
        return variables

    def evaluation(self, problem: Problem, targets: Tensor) -> Evaluate:
        """The loss's terms as a function of what is searched."""

        def evaluate(values: Values, rows: Tensor) -> dict[str, Tensor]:
            code = values["code"]
            styles = self.space.styles(problem, code)
            images = problem.synthesis(styles, noise_of(values))
            return weighted(self.terms, Candidate(problem, code, styles, images, targets[rows]))

        return evaluate

    def images(self, problem: Problem, values: Values) -> Tensor:
        """Images of what was found, a chunk of the usual size at a time."""
        styles, noise = self.space.styles(problem, values["code"]), noise_of(values)
        with torch.no_grad():
            parts = [
                problem.synthesis(styles[rows], None if noise is None else [level[rows] for level in noise])
                for rows in torch.arange(len(styles)).split(self.chunk)
            ]
        return torch.cat(parts)

    def code_layers(self, problem: Problem) -> int:
        """Styles of one code."""
        return self.space.layers(problem)

    def chunk_size(self, problem: Problem) -> int:
        """Images whose search fits the memory, at least one and at most ``chunk``."""
        if self.chunk == 1:
            return 1

        def loss(count: int) -> Tensor:
            targets = problem.low_of_nothing().expand(count * self.solutions, -1, -1, -1)
            variables = self.variables(problem, targets, list(range(count)))
            values = {name: variable.start.requires_grad_() for name, variable in variables.items()}
            rows = torch.arange(len(targets), device=targets.device)
            return torch.stack(list(self.evaluation(problem, targets)(values, rows).values())).sum()

        with frozen(problem):
            return int(max(1, min(self.chunk, self.memory_gb * 1e9 // bytes_per_image(loss))))


class WholeImages:
    """Gathers solutions as they are found, and hands on the images of which all are.

    Parameters
    ----------
    solutions
        Per image; their rows follow each other.
    finish
        Called with images ``(m,)``, and with what was found of each: its solutions one after the other.
    """

    def __init__(self, solutions: int, finish: Leave):
        self.solutions = solutions
        self.finish = finish
        self.waiting: list[tuple[Tensor, Found]] = []

    def __call__(self, rows: Tensor, found: Found) -> None:
        """Take what was found of some rows."""
        self.waiting.append((rows, found))
        rows = torch.cat([rows for rows, _ in self.waiting])
        together = joined([found for _, found in self.waiting])
        of_image = rows.cpu() // self.solutions
        complete = (of_image.bincount()[of_image] == self.solutions).to(rows.device)
        if complete.any():
            order = rows[complete].argsort()
            whole = complete.nonzero().flatten()[order]
            self.finish(rows[whole][:: self.solutions] // self.solutions, together.select(whole))
        self.waiting = [(rows[~complete], together.select(~complete))]
