"""RLS+: after the search, each image gets a generator of its own, tuned to its data term."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from micrographia.config import Between
from micrographia.inversion.descent import Found, Leave, Values, Variable, descend
from micrographia.inversion.objective import Candidate, Term
from micrographia.inversion.problem import Problem
from micrographia.inversion.schedule import Schedule
from micrographia.inversion.spaces import noise_of, normalised_map, project_on_l1_ball

COPIES = 5
"""Of a tuned weight: value, gradient, two moments, best so far."""


@dataclass(frozen=True)
class Tuning:
    """Descent of the data term alone, in the code, the first noise maps and the generator's weights.

    Each image tunes copies; the shared generator stays as it is. The code stays in an l1 ball around what the search
    found.

    Parameters
    ----------
    steps
        At constant rates (the paper: 20 to 80).
    lr
        Of the code and the noise maps.
    weights_lr
        Of the weights that the synthesis depends on.
    noise_maps
        First noise maps that are tuned, each kept at mean 0 and mean square 1; all where a generator has fewer.
    radius
        Of the ball of each layer's code, in units of sqrt(d).

    References
    ----------
    RLS+ (arXiv 2311.16923). The ball is on the code, as in its code; its caption puts it on the weights.
    """

    steps: Annotated[int, Between(1)] = 50
    lr: Annotated[float, Between(0)] = 0.1
    weights_lr: Annotated[float, Between(0)] = 1e-4
    noise_maps: Annotated[int, Between(0)] = 9
    radius: Annotated[float, Between(0)] = 1.0

    def refine(
        self, problem: Problem, data: Term, found: Found, targets: Tensor, memory_gb: float, leave: Leave
    ) -> None:
        """Tune each image's generator, as many at a time as the memory holds.

        Parameters
        ----------
        found
            What a search in W or W+ found.
        targets
            Low-resolution images ``(n, channels, s, s)``.
        memory_gb
            Most memory that the copies of the weights may take at once.
        leave
            Called with rows that are done; beside their ``code`` the values hold the ``image`` of their own generator.
        """
        weights = tuned_weights(problem)
        own = COPIES * sum(weight.nbytes for weight in weights.values())
        size = max(1, int(memory_gb * 1e9 // own))
        for rows in torch.arange(len(targets), device=targets.device).split(size):
            leave(rows, self.refine_some(problem, data, weights, found.select(rows), targets[rows]))

    def refine_some(self, problem: Problem, data: Term, weights: Values, before: Found, targets: Tensor) -> Found:
        """Tune as many images at once as there are targets; steps are those of search and tuning."""
        optimum = before.values["code"]
        count, radius = len(optimum), self.radius * optimum.shape[2] ** 0.5

        def near_optimum(code: Tensor, rows: Tensor) -> Tensor:
            return optimum[rows] + project_on_l1_ball(code - optimum[rows], radius)

        variables = {"code": Variable(optimum, self.lr, near_optimum)}
        for level, noise in enumerate(problem.noise()[: self.noise_maps]):
            start = noise.expand(count, -1, -1, -1)
            variables[f"noise{level}"] = Variable(start, self.lr, lambda maps, _: normalised_map(maps))
        for name, weight in weights.items():
            variables[name] = Variable(weight.expand(count, *weight.shape), self.weights_lr)

        def images_of(values: Values) -> Tensor:
            own = {name: values[name] for name in weights}
            return problem.synthesis(values["code"], noise_of(values), own)

        def evaluate(values: Values, rows: Tensor) -> dict[str, Tensor]:
            candidate = Candidate(problem, values["code"], values["code"], images_of(values), targets[rows])
            return {"data": data.weight * data(candidate)}

        constant = Schedule(self.steps, initial=1.0, final=1.0)
        found = descend(evaluate, variables, constant)
        with torch.no_grad():
            values = {"code": found.values["code"], "image": images_of(found.values)}
        return Found(values, found.terms, found.loss, before.steps + found.steps, before.diverged | found.diverged)


def tuned_weights(problem: Problem) -> Values:
    """Weights of the generator on which its synthesis depends, by name."""
    weights = {name: weight.detach().clone() for name, weight in problem.generator.named_parameters()}
    copies = [weight[None].requires_grad_() for weight in weights.values()]
    image = problem.synthesis(problem.w_mean.expand(1, 1, -1), None, dict(zip(weights, copies, strict=True)))
    gradients = torch.autograd.grad(image.sum(), copies, allow_unused=True)
    return {
        name: weight
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
        if gradient is not None
    }
