"""Scores of disentanglement as torchmetrics metrics, with settings fast enough for use inside a training.

The only module of scores that needs torch; import it by its own name. Scores that make interventions of their own
(BetaVAE, FactorVAE, IRS) encode a hundred thousand images: they have no place here.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pandas as pd
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from micrographia.scores.disentanglement.active_units import active_units
from micrographia.scores.disentanglement.dci import DCI_SCORES, dci
from micrographia.scores.disentanglement.explicitness import explicitness
from micrographia.scores.disentanglement.latent_information import latent_information
from micrographia.scores.disentanglement.mig import mig
from micrographia.scores.disentanglement.modularity import modularity
from micrographia.scores.disentanglement.omes import omes
from micrographia.scores.disentanglement.sap import sap
from micrographia.scores.disentanglement.total_correlation import total_correlation


class TableMetric(Metric):
    """A score of codes and factors, or of codes alone, over all batches together.

    Parameters
    ----------
    settings
        Keyword arguments of the score, in place of the metric's own ``fast`` ones.

    Attributes
    ----------
    score : callable
        The pure function.
    fast : dict
        Settings that differ from the function's own.
    of_codes : bool
        Whether it knows no factors; in a collection beside others it leaves these aside.
    """

    is_differentiable = False
    full_state_update = False
    score: ClassVar[Callable[..., Any]]
    fast: ClassVar[dict[str, Any]] = {}
    of_codes: ClassVar[bool] = False

    codes: list[Tensor]
    factors: list[Tensor]

    def __init__(self, **settings: Any):
        super().__init__()
        self.settings = {**self.fast, **settings}
        for state in self.states():
            self.add_state(state, default=[], dist_reduce_fx="cat")

    @classmethod
    def states(cls) -> tuple[str, ...]:
        """What is kept of the batches. torchmetrics lets metrics of a collection share states that begin alike."""
        return ("codes",) if cls.of_codes else ("codes", "factors")

    def update(self, codes: Tensor, factors: Tensor | None = None) -> None:
        """Take a batch: codes ``(n, latents)`` and, where the score knows them, factors ``(n, factors)``."""
        self.codes.append(kept(codes))
        if factors is not None and not self.of_codes:
            self.factors.append(kept(factors))

    def compute(self) -> Tensor | dict[str, Tensor]:
        """The score of all batches since the last reset."""
        tables = [dim_zero_cat(getattr(self, state)).cpu().numpy() for state in self.states()]
        return self.as_tensors(type(self).score(*tables, **self.settings))

    def as_tensors(self, result: Any) -> Tensor | dict[str, Tensor]:
        """What a result is logged as."""
        return torch.tensor(result.score)


def kept(values: Tensor) -> Tensor:
    """Values without their graph, in a precision that NumPy has: bfloat16, as of mixed training, it has not."""
    return values.detach().float() if values.dtype == torch.bfloat16 else values.detach()


class MIG(TableMetric):
    """Mutual information gap, see `mig`.

    Examples
    --------
    >>> factors = torch.randint(4, (1000, 2), generator=torch.Generator().manual_seed(0))
    >>> metric = MIG()
    >>> metric.update(factors.float(), factors)
    >>> round(float(metric.compute()), 2)
    1.0
    """

    score = staticmethod(mig)


class SAP(TableMetric):
    """Separated attribute predictability, see `sap`; latents are cut at 32 quantiles."""

    score = staticmethod(sap)
    fast: ClassVar = {"cells": 32}


class Modularity(TableMetric):
    """Modularity, see `modularity`."""

    score = staticmethod(modularity)


class Explicitness(TableMetric):
    """Explicitness, see `explicitness`."""

    score = staticmethod(explicitness)


class DCI(TableMetric):
    """Disentanglement, completeness and informativeness as a dictionary, see `dci`; by forests of 20 trees."""

    score = staticmethod(dci)
    fast: ClassVar = {"booster": "random_forest", "trees": 20}

    def as_tensors(self, result: Any) -> dict[str, Tensor]:
        """The three numbers by their names."""
        return {f"dci_{part}": torch.tensor(getattr(result, part)) for part in DCI_SCORES}


class TotalCorrelation(TableMetric):
    """Total correlation of the codes in nats, see `total_correlation`."""

    score = staticmethod(total_correlation)
    of_codes = True


class LatentInformation(TableMetric):
    """Mean mutual information of pairs of latents in nats, see `latent_information`."""

    score = staticmethod(latent_information)
    of_codes = True


class ActiveUnits(TableMetric):
    """Number of active latents, see `active_units`."""

    score = staticmethod(active_units)
    of_codes = True


class OMES(Metric):
    """Overlap and multiple encoding score from pairs of codes, see `omes`.

    Parameters
    ----------
    factors
        Names of the factors that are intervened on.
    settings
        Keyword arguments of `omes`.
    """

    is_differentiable = False
    full_state_update = False

    def __init__(self, factors: Sequence[str], **settings: Any):
        super().__init__()
        self.names = list(factors)
        self.settings = settings
        for place in range(len(self.names)):
            for side in ("before", "after"):
                self.add_state(f"{side}_{place}", default=[], dist_reduce_fx="cat")

    def update(self, factor: str, before: Tensor, after: Tensor) -> None:
        """Take pairs: codes ``(n, latents)`` of images, and of the same with one factor redrawn."""
        place = self.names.index(factor)
        getattr(self, f"before_{place}").append(kept(before))
        getattr(self, f"after_{place}").append(kept(after))

    def compute(self) -> Tensor:
        """The score of all pairs since the last reset."""
        pairs = {name: (self.side("before", place), self.side("after", place)) for place, name in enumerate(self.names)}
        return torch.tensor(omes(pairs, **self.settings).score)

    def side(self, side: str, place: int) -> pd.DataFrame:
        """Codes of one side of a factor's pairs."""
        codes = dim_zero_cat(getattr(self, f"{side}_{place}")).cpu().numpy()
        return pd.DataFrame(codes, columns=[f"z{latent}" for latent in range(codes.shape[1])])
