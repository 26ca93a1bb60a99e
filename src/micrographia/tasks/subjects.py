"""The images that are super-resolved: which ones, as they are and as they were seen."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from micrographia.config import instantiate
from micrographia.data.datamodule import IndexedImages, Part, all_indices, spread
from micrographia.data.image_folder import ImageFolder
from micrographia.degradations import Degradation
from micrographia.errors import UserError
from micrographia.interpretation.controls import as_text, controls_of
from micrographia.runs.run import How, Run, What
from micrographia.scores.wells import Comparison
from micrographia.tasks.assembly import build_data
from micrographia.tasks.scaling import scaled_alike, undivided

log = logging.getLogger(__name__)

# Columns of results, which a data set's own must not hide.
RESULTS = (
    *("item", "key", "solution", "method", "flag", "lr_residual", "log_p", "log_p_least", "loss", "steps"),
    *("psnr", "ssim", "ms_ssim", "spectrum_error"),
)


@dataclass(frozen=True)
class Subjects:
    """Images to recover and what is known of them.

    Attributes
    ----------
    keys : Tensor
        Their indices in the data set, ``(n,)``, int64.
    high : Tensor or None
        What is to be recovered, ``(n, channels, S, S)``, float32 in 0..1; None where nobody knows it.
    low : Tensor
        What was seen, ``(n, channels, s, s)``.
    known : DataFrame
        A row per image, under its key: the data set's table, truth included where there is any.
    blank : tuple of int
        Channels that the images lack, which are 0 throughout.
    """

    keys: Tensor
    high: Tensor | None
    low: Tensor
    known: pd.DataFrame
    blank: tuple[int, ...] = ()

    def low_of(self, keys: Tensor) -> Tensor:
        """Low-resolution images of some of the keys."""
        rows = {key: row for row, key in enumerate(self.keys.tolist())}
        return self.low[[rows[key] for key in keys.tolist()]]


def find_subjects(
    what: What, how: How, channels: int | None, size: int, degradation: Degradation, low: bool
) -> tuple[IndexedImages, Subjects, Comparison | None]:
    """The data set, its images to recover, and the controls that a measurement is to tell apart.

    Parameters
    ----------
    channels, size
        Of the generator's images; channels None where it is still to learn them.
    degradation
        What is done to images of high resolution, told and untold.
    low
        Whether the images are low-resolution themselves: see `are_low`.

    Raises
    ------
    UserError
        If generator, degradation and images do not fit each other, or the table has no column of the controls.
    """
    if "replicate" in (what["contrast"] or {}):
        raise UserError(
            "contrast.replicate: here wells are resampled. Name the column of the replicates as contrast.well."
        )
    if "block" in (what["contrast"] or {}):
        raise UserError("contrast.block: here wells are not permuted within plates. Leave it out.")
    if low:
        side = size // degradation.factor
        if what["data"].get("size") not in (None, side):
            raise UserError(
                f"data.size={what['data']['size']}: a generator of {size} px takes low-resolution images of {side} px. "
                "Leave data.size=null to follow it."
            )
        what = undivided(what)
        data = build_data(what, how, side, {})
        require_channels(data, what["generator"], channels)
        data = scaled_alike(what, how, data)
        keys = all_indices(data).sort().values
        seen = torch.cat(list(data.chunks(keys)))
        return data, Subjects(keys, None, seen, known_of(data, keys), blank_of(data)), controls_of(data, what)
    data = build_data(what, how, size, {})
    require_channels(data, what["generator"], channels)
    if data.shape[1] != size:
        raise UserError(
            f"data.size={data.shape[1]}: the generator makes images of {size} px. Leave data.size=null to follow it."
        )
    data = scaled_alike(what, how, data)
    controls = controls_of(data, what)
    keys = chosen(data, what["part"], what["images"], controls, what["seed"])
    return data, degraded(data, degradation, keys), controls


def degraded(data: IndexedImages, degradation: Degradation, keys: Tensor) -> Subjects:
    """High-resolution images of a data set, and what would have been seen of them."""
    high = torch.cat(list(data.chunks(keys)))
    return Subjects(keys, high, degradation(high, keys), known_of(data, keys), blank_of(data))


def blank_of(data: IndexedImages) -> tuple[int, ...]:
    """Channels that the images lack."""
    return tuple(data.record().get("blank", ()))


def are_low(what: What, size: int, side: int) -> bool:
    """Whether the images are low-resolution themselves.

    Parameters
    ----------
    size, side
        Of a generator's images, and of these after the degradation.

    Raises
    ------
    UserError
        If that cannot be told, or they are of another size than ``side``.
    """
    if "root" not in what["data"]:
        if what["given"] == "low":
            raise UserError("given=low: these images are rendered, at high resolution. Choose data=image_folder.")
        return False
    if what["given"] == "high":
        return False
    folder = instantiate({**undivided(what)["data"], "size": side}, "data")
    native, fitting, other = folder.native_side(), *files_of_side(folder, side)
    if native is None:
        if what["given"] == "low" or "run" in what["generator"]:
            raise UserError("data.fit=resize hides the size of the images. Set data.fit=pad, or say given=high.")
        return False
    if what["given"] is None and fitting and other and native > side:
        raise UserError(
            f"data.root: {fitting}, as low-resolution images are, and {other} are in one folder. Keep images of "
            "one kind in the folder, or say given=high or given=low."
        )
    if what["given"] is None and 2 * native > size:
        if "run" in what["generator"]:
            log.info("images of %d px count as high-resolution ones and are reduced; given=low if not", native)
        return False
    if what["given"] is None and native > side:
        raise UserError(
            f"data.root: images of {native} px are between the generator's {size} and the {side} that "
            "degradation.steps.reduce.factor makes of them. Say given=high or given=low, or set the factor."
        )
    if other:
        raise UserError(
            f"data.root: images of {native} px, or not square: {other}. The generator and "
            f"degradation.steps.reduce.factor take low-resolution images of {side} x {side} px: cut them to it, set "
            "the factor, or choose another generator."
        )
    refuse_training(what)
    return True


def files_of_side(folder: ImageFolder, side: int) -> tuple[str | None, str | None]:
    """A file that is a square of that side in pixels, and one that is not; None where there is none."""
    shapes = {name: header.shape[-2:] for name, header in folder.headers.items()}
    fits = {f"{name}, {width} x {height} px": height == width == side for name, (height, width) in shapes.items()}
    fitting, other = (next((file for file, is_so in fits.items() if is_so == wanted), None) for wanted in (True, False))
    return fitting, other


def refuse_training(what: What) -> None:
    """Refuse networks that would be trained on low-resolution images as if they were of high resolution."""
    if "task" in what["generator"]:
        raise UserError(
            "generator=trained: it would learn from these low-resolution images. Name one of high-resolution images: "
            "generator=FOLDER of a finished train run of model=stylegan2."
        )
    networks = {f"methods.{name}.network": node.get("network", {}) for name, node in what["methods"].items()}
    for key, node in {"encoder": what["encoder"], **networks}.items():
        if "task" in node:
            raise UserError(
                f"{key}: it would learn from these low-resolution images. Leave it out, or name a finished run that "
                "was trained on high-resolution ones."
            )


def require_channels(data: IndexedImages, node: Mapping[str, Any], channels: int | None) -> None:
    """Raise unless images have the generator's channels, each of its own; one that is still to learn them fits all.

    One channel in place of several would be measured against itself.

    Parameters
    ----------
    node
        Of the generator.
    channels
        That it makes; None where it is still to learn them.
    """
    if channels is None:
        return
    given, repeated = data.shape[0], bool(data.record().get("repeats"))
    learned = {} if "task" in node else Run.named(node["run"], "generator.run").record("model")["data"]
    if repeated and channels > 1 and not learned.get("repeats"):
        raise UserError(
            f"data.channels: {data.name} would show one channel as several of the generator's {channels} "
            f"({data.record()['channels']}). Give images of {channels} channels, or choose a generator that was "
            "trained on images of one."
        )
    if channels != given:
        remedy = f"set data.model_channels={channels}"
        if channels > given:
            remedy = f"give images of {channels} channels, with data.model_channels={channels}"
        raise UserError(
            f"generator: it makes {channels} channels, the images of {data.name} have {given}: {remedy}, or choose a "
            "generator that was trained on such images."
        )


def known_of(data: IndexedImages, keys: Tensor) -> pd.DataFrame:
    """The data set's table under the images' keys."""
    return apart(data.table(keys).set_axis(pd.Index(keys.tolist(), name="item")))


def apart(table: pd.DataFrame) -> pd.DataFrame:
    """A data set's table, whose columns of a name that results have are called ``table_...``."""
    return table.rename(columns={name: f"table_{name}" for name in RESULTS if name in table})


def chosen(
    data: IndexedImages, part: Part, count: int | None, controls: Comparison | None, seed: int, key: str = "part"
) -> Tensor:
    """Keys of so many images of each condition (of each class, where there are no controls), evenly from the part.

    Another seed takes others of them: searches from the mean of W have no other random choice.
    """
    indices = data.indices(part)
    if not len(indices):
        raise UserError(f"{key}={part}: {data.name} has no image in it. Choose another part or data.split.")
    if count is None:
        return indices
    table = data.table(indices)
    column = controls.condition if controls else "class" if data.classes else None
    if column is None:
        return spread(indices, count, seed)
    places = table.groupby(table[column].map(as_text).to_numpy()).indices.values()
    return indices[torch.cat([spread(torch.as_tensor(rows), count, seed) for rows in places]).sort().values]
