"""A data set of which few images bear a label, so that one can tell how few a classifier needs."""

import logging
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from micrographia.data.datamodule import PARTS, IndexedImages, Part
from micrographia.data.subset import Subset

log = logging.getLogger(__name__)


class FewLabels(Subset):
    """The images of another data set that bear a label: so many of each class, of some parts; other parts are whole.

    Which they are follows from the seed, the part and the class alone: fewer are some of more, and two classifiers of
    one seed learn from the same.

    Parameters
    ----------
    inner
        The data set, set up, with classes.
    labels
        Images per class, 1 and up; of a class with fewer all are taken.
    seed
        Of the draw.
    parts
        Of which few bear a label. Weights that are selected on a validation part larger than the training part are
        learned from its labels, too (Oliver et al., 2018).

    Raises
    ------
    UserError
        If the set has no classes.
    ValueError
        If ``labels`` is below 1.

    References
    ----------
    Oliver, Odena, Raffel, Cubuk and Goodfellow, Realistic evaluation of deep semi-supervised learning algorithms,
    NeurIPS 2018, section 4.6.
    """

    def __init__(self, inner: IndexedImages, labels: int, seed: int, parts: Sequence[Part] = ("train",)):
        if labels < 1:
            raise ValueError(f"labels={labels}: expected 1 or more")
        super().__init__(inner)
        self.labels = labels
        self.seed = seed
        self.parts = tuple(parts)

    @cached_property
    def kept(self) -> dict[Part, torch.Tensor]:
        """Indices of each part, in the order of the inner data."""
        return {part: self.draw(part) if part in self.parts else self.inner.indices(part) for part in PARTS}

    def draw(self, part: Part) -> torch.Tensor:
        """Indices of the part's images that bear a label."""
        indices = self.inner.indices(part)
        codes = self.inner.targets(indices).numpy()
        chosen = []
        for code in range(len(self.classes)):
            generator = np.random.default_rng([self.seed, PARTS.index(part), code])
            chosen.append(generator.permutation(np.flatnonzero(codes == code))[: self.labels])
        return indices[torch.from_numpy(np.sort(np.concatenate(chosen)))]

    def report(self, key: str) -> None:
        """Say of which classes there are fewer training images than were asked for.

        Parameters
        ----------
        key
            Where their number stands in the config.
        """
        counts = self.targets(self.indices("train")).bincount(minlength=len(self.classes)).tolist()
        short = [f"{name} ({count})" for name, count in zip(self.classes, counts, strict=True) if count < self.labels]
        if short:
            log.info("%s=%d: all training images of classes that have fewer: %s", key, self.labels, ", ".join(short))

    def labelled(self) -> pd.DataFrame:
        """The images that bear a label: ``item``, ``part``, ``class``, and ``file`` where there is one."""
        tables = []
        for part in self.parts:
            indices = self.indices(part)
            table = self.table(indices).reset_index(drop=True)
            columns = [name for name in ("class", "file") if name in table]
            tables.append(pd.DataFrame({"item": indices.numpy(), "part": part}).join(table[columns]))
        return pd.concat(tables, ignore_index=True)

    def counts(self) -> dict[str, int]:
        """How many images bear a label, of each part that has few."""
        return {part: len(self.indices(part)) for part in self.parts}
