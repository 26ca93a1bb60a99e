"""What a finished run says of images that it has never seen: a row for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from torch import Tensor

from micrographia.data.preparing import Preparation

BLOCK = 32  # images of one pass through a network; the last one is filled up, so that no number depends on its company


@dataclass(frozen=True)
class Batch:
    """Images that are asked about at a time.

    Attributes
    ----------
    names : list of str
        Of their files, below the folder that is read.
    paths : list of Path
        Of the same.
    images : Tensor
        ``(n, channels, size, size)``, float32 in 0..1.
    flags : list of str
        What is known against each already.
    """

    names: list[str]
    paths: list[Path]
    images: Tensor
    flags: list[str]


class Reader:
    """What a finished run says of images.

    Attributes
    ----------
    preparation : Preparation
        From a file to what the run's model takes.
    columns : list of str
        Of the rows, the first one ``file``.
    per_image : int
        Rows of one image.
    batch : int
        Images that are asked about at a time, unless another number is given.
    per : "s" or "min"
        Time in which images are counted.
    about : dict
        What is worth recording of it, in JSON's types.
    """

    preparation: Preparation
    columns: list[str]
    per_image: int = 1
    batch: int = 64
    per: Literal["s", "min"] = "s"
    about: dict[str, Any]

    def expect(self, names: Sequence[str]) -> None:
        """Hear the names of all images, before the first is read."""

    def rows(self, batch: Batch, folder: Path, watch: Callable[[float], None]) -> pd.DataFrame:
        """Rows of some images, in their order, with `columns`.

        Parameters
        ----------
        folder
            Where images that are made are written.
        watch
            Called with the work done, in images.
        """
        raise NotImplementedError


def in_blocks(work: Callable[[Tensor], Tensor], images: Tensor, device: torch.device) -> Tensor:
    """What a network makes of images, always so many at once: on a CPU its last digits depend on their number."""
    found = []
    for block in images.split(BLOCK):
        filled = torch.cat([block, block[-1:].expand(BLOCK - len(block), *block.shape[1:])])
        with torch.inference_mode():
            found.append(work(filled.to(device))[: len(block)].float().cpu())
    return torch.cat(found)
