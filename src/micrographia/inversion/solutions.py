"""What a search returns, and how it is kept in a run's folder."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from micrographia import __version__
from micrographia.errors import UserError
from micrographia.inversion.problem import Problem
from micrographia.inversion.terms import l1
from micrographia.runs.writing import write_atomically

TABLE, VERSION = "table", "version"  # what a file of solutions tells beside its tensors


@dataclass(frozen=True)
class Solutions:
    """Super-resolved images and what is known of them.

    Attributes
    ----------
    keys : Tensor
        Which image, ``(n,)``, int64.
    images : Tensor
        ``(n, K, channels, S, S)``, 0..1 and slightly beyond; NaN where an image could not be searched.
    codes : Tensor or None
        Styles ``(n, K, l, d)``, l the layers or 1; None for methods without.
    table : DataFrame
        A row per image and solution: ``key``, ``solution``, ``loss`` and its weighted parts ``loss/...``, ``steps``,
        ``lr_residual`` (mean absolute difference from the low-resolution image, 0..1), ``log_p`` (nats, mean over the
        layers), ``log_p_least`` (that of the least likely layer), and ``flag``: why not to trust the row, empty if
        nothing is known against it.
    """

    keys: Tensor
    images: Tensor
    codes: Tensor | None
    table: pd.DataFrame

    def save(self, path: Path) -> None:
        """Write as one safetensors file, whole or not at all."""
        tensors = {"keys": self.keys, "images": self.images.float()}
        if self.codes is not None:
            tensors["codes"] = self.codes.float()
        metadata = {TABLE: self.table.to_csv(index=False), VERSION: __version__}
        content = save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, metadata)
        write_atomically(path, lambda part: part.write_bytes(content))

    @staticmethod
    def made_by(path: Path) -> str | None:
        """Version of the package that wrote a file; None where it does not say."""
        with readable_solutions(path), safe_open(path, "pt") as file:
            return (file.metadata() or {}).get(VERSION)

    @classmethod
    def load(cls, path: Path) -> "Solutions":
        """Read back.

        Raises
        ------
        UserError
            If the file is damaged.
        """
        with readable_solutions(path), safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
            text = file.metadata()[TABLE]
        table = pd.read_csv(io.StringIO(text), float_precision="round_trip", dtype={"flag": str})
        table["flag"] = table["flag"].fillna("")
        return cls(tensors["keys"], tensors["images"], tensors.get("codes"), table)


@contextmanager
def readable_solutions(path: Path) -> Iterator[None]:
    """Answer a file of solutions that is damaged."""
    try:
        yield
    except (SafetensorError, OSError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not readable solutions ({error}). Delete it to search them anew.") from error


def solved(
    problem: Problem,
    low: Tensor,
    keys: Sequence[int],
    solutions: int,
    images: Tensor,
    styles: Tensor | None = None,
    columns: dict[str, Tensor] | None = None,
    diverged: Tensor | None = None,
) -> Solutions:
    """Collect the solutions of usable images, with LR residual, typicality and flags.

    Parameters
    ----------
    low
        ``(n, channels, s, s)``.
    images
        ``(n * solutions, channels, S, S)``, the solutions of an image one after the other.
    styles
        ``(n * solutions, l, d)``.
    columns
        Further columns of the table, each ``(n * solutions,)``.
    diverged
        Whether the loss did not stay finite, ``(n * solutions,)``.
    """
    count, entries = len(keys), len(images)
    with torch.no_grad():
        residual, plain = residual_of(problem, images, low), residual_of(problem, problem.interpolated(low), low)
        log_p = torch.full((entries, 1), torch.nan)
        if styles is not None and problem.flow is not None:
            log_p = problem.gaussianise(styles)[1]
    values = {**(columns or {}), "lr_residual": residual, "log_p": log_p.mean(1), "log_p_least": log_p.amin(1)}
    table = pd.DataFrame(
        {
            "key": [key for key in keys for _ in range(solutions)],
            "solution": list(range(solutions)) * count,
            **{name: as_column(value) for name, value in values.items()},
        }
    )
    least, most = problem.typical.tolist()
    # One layer beyond the range is enough to invent detail; a mean over the layers would hide it.
    atypical = ((table["log_p_least"] < least) | (table["log_p"] > most)).tolist()
    unknown = table["log_p"].isna().tolist() if styles is not None else [False] * entries
    unlike = (residual > (TIMES * plain).clamp(min=LEAST_RESIDUAL).repeat_interleave(solutions, 0)).tolist()
    lost = [False] * entries if diverged is None else diverged.tolist()
    unusual = zip(atypical, unknown, unlike, lost, strict=True)
    table["flag"] = ["; ".join(word for word, is_so in zip(FLAGS, row, strict=True) if is_so) for row in unusual]
    return Solutions(
        torch.as_tensor(keys),
        images.detach().view(count, solutions, *images.shape[1:]),
        None if styles is None else styles.detach().view(count, solutions, *styles.shape[1:]),
        table,
    )


def as_column(values: Tensor) -> NDArray[np.generic]:
    """Whole numbers as they are, others in float64, which a file gives back exactly."""
    values = values.detach().cpu()  # before float64, which not every device has
    return (values.double() if values.is_floating_point() else values).numpy()


def residual_of(problem: Problem, images: Tensor, low: Tensor) -> Tensor:
    """Mean absolute difference of images, reduced, from what was seen, ``(n * solutions,)``."""
    return l1(problem.degrade(images), low.repeat_interleave(len(images) // len(low), 0))


FLAGS = ("atypical code", "typicality unknown", "unlike its low-resolution image", "diverged")
TIMES, LEAST_RESIDUAL = 5.0, 0.03
"""An image is unlike what was seen of it beyond so many times what interpolation leaves, and beyond this difference.

Of 8-fold reduction interpolation leaves .005 to .007, RLS .009 to .012, and PULSE, of all methods the most, .025
(docs/results.md): what is done stays below. The least keeps smooth images, of which interpolation leaves next to
nothing, from being flagged for what nobody would see. Interpolation itself is never flagged.
"""


def concatenated(parts: Sequence[Solutions], keys: Sequence[int] | None = None) -> Solutions:
    """Solutions of several chunks as one, in the order of ``keys`` (None: as they come).

    Raises
    ------
    KeyError
        If a key has no solution.
    """
    found = torch.cat([part.keys for part in parts])
    wanted = found.tolist() if keys is None else list(keys)
    row_of = {key: row for row, key in enumerate(found.tolist())}
    rows = torch.as_tensor([row_of[key] for key in wanted], dtype=torch.int64)
    codes = [part.codes for part in parts if part.codes is not None]
    tables = sorted((part.table for part in parts), key=lambda table: len(table.columns), reverse=True)
    table = pd.concat(tables, ignore_index=True)  # in the order of columns of the fullest
    rank = {key: place for place, key in enumerate(wanted)}
    table = table[table["key"].isin(wanted)].assign(place=lambda table: table["key"].map(rank))
    table = table.sort_values(["place", "solution"], kind="stable").drop(columns="place").reset_index(drop=True)
    return Solutions(
        found[rows],
        torch.cat([part.images for part in parts])[rows],
        torch.cat(codes)[rows] if len(codes) == len(parts) else None,
        table,
    )
