"""Whether an exported model says what the trained one says, on images of the run's own data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from micrographia.config import instantiate
from micrographia.data.datamodule import IndexedImages, all_indices, spread, unit_range
from micrographia.data.image_folder import ImageFolder
from micrographia.data.plates.cells import PlateCells
from micrographia.data.reading import read_image
from micrographia.data.synthetic.assay import SimulatedAssay
from micrographia.models.exported import ExportedModel
from micrographia.runs.run import How
from micrographia.tasks.exportable import Exportable

Outputs = Sequence[NDArray[np.floating]]
Compute = Callable[[Mapping[str, NDArray[np.float32]]], Outputs]
"""From named inputs to outputs, as onnxruntime's sessions compute."""


@dataclass(frozen=True)
class Sample:
    """Images of one size, raw and as the data set prepares them.

    Attributes
    ----------
    raw : Tensor
        What the exported model is fed: ``(n, channels, height, width)``, or codes.
    items : Tensor
        What the trained model is fed: ``(n, model channels, size, size)``, or codes.
    limits : Tensor or None
        Of plates that are scaled each by itself, ``(n, model channels, 2)``.
    """

    raw: Tensor
    items: Tensor
    limits: Tensor | None = None


def samples_of(exportable: Exportable, how: How, count: int) -> tuple[list[Sample], str]:
    """So many images of the run's data, prepared by the data set itself, and what they are in words.

    Where the images are not there any more, random ones stand in, which the exported model's own preparation prepares.
    """
    model, node = exportable.model, dict(exportable.data)
    generator = torch.Generator().manual_seed(0)
    if model.preprocessing is None:
        z = torch.randn(count, exportable.model.description["body"]["z_dim"], generator=generator)
        return [Sample(z, z)], f"{count} random codes"
    root = node.get("root") or (node.get("fields") or {}).get("root")
    if root is not None and not Path(root).exists():
        return [random_sample(model, count, generator)], f"{count} random images, since {root} is not there,"
    node["size"] = exportable.size if "size" in node else None
    data = instantiate(
        {key: value for key, value in node.items() if value is not None or key != "size"},
        "data",
        **({"cache": how["paths"]["cache"]} if root is not None else {}),
    )
    if isinstance(data, ImageFolder):
        found = samples_of_files(data, exportable, count)
    else:
        data.setup("fit")
        found = samples_of_items(data, count)
    return found, f"{sum(len(sample.raw) for sample in found)} images of {data.name}"


def chosen(data: IndexedImages, count: int) -> Tensor:
    """Evenly spaced images of the test part, or of all where it is empty."""
    test = data.indices("test")
    return spread(test if len(test) else all_indices(data), count)


def samples_of_files(data: ImageFolder, exportable: Exportable, count: int) -> list[Sample]:
    """Images as read from their files, each size apart, beside the items that the run's settings make of them."""
    rows, steps = data.arrange(), exportable.model.preprocessing.steps  # type: ignore[union-attr]
    indices = chosen(data, count)
    plates = data.reference.plates_of(rows.iloc[indices.numpy()])
    record, groups = dict(exportable.record), dict[tuple[int, ...], list[Sample]]()
    of_plates = record.pop("limits_of_plates", None)
    for index, plate in zip(indices.tolist(), plates, strict=True):
        path = data.root / rows["file"].iloc[index]
        fitted = record if of_plates is None else {**record, "limits": of_plates[plate]}
        conversion = data.recipe.repeating(fitted).prepare([path], np.zeros(1, bool))
        header, image = read_image(path)
        mapping = conversion.mappings[header.names]
        by_channel = {source: image[number] for source, number in zip(steps.sources, mapping.sources, strict=True)}
        raw = np.stack([by_channel[number] for number in range(len(steps.channels))]).astype(np.float32)
        limits = None if of_plates is None else torch.tensor(of_plates[plate])[None]
        sample = Sample(torch.from_numpy(raw)[None], unit_range(torch.from_numpy(conversion(path)))[None], limits)
        groups.setdefault(raw.shape, []).append(sample)
    return [joined(group) for group in groups.values()]


def joined(samples: Sequence[Sample]) -> Sample:
    """Samples of one size as one."""
    limits = [sample.limits for sample in samples if sample.limits is not None]
    raw, items = (torch.cat([getattr(sample, name) for sample in samples]) for name in ("raw", "items"))
    return Sample(raw, items, torch.cat(limits).float() if limits else None)


def samples_of_items(data: IndexedImages, count: int) -> list[Sample]:
    """Items of a set that is rendered or cut out, beside what they were before they were scaled."""
    indices = chosen(data, count)
    items = unit_range(data.images(indices))
    if isinstance(data, SimulatedAssay):
        return [Sample(data.raw(indices).float(), items)]
    if isinstance(data, PlateCells):
        numbers = indices.numpy()
        crops = torch.from_numpy(data.crops[data.places[numbers]][:, data.taken].astype(np.float32))
        limits = torch.from_numpy(data.limits[data.plate_of[numbers]])[:, :, :, 0, 0]
        return [Sample(crops, items, limits.transpose(1, 2))]
    return [Sample(data.images(indices).float(), items)]


def random_sample(model: ExportedModel, count: int, generator: torch.Generator) -> Sample:
    """Images of noise over the range of values, a bit larger than the model takes where it takes any size."""
    preprocessing = model.preprocessing
    assert preprocessing is not None
    steps = preprocessing.steps
    shape = (steps.size + 9, steps.size + 4) if steps.resized else (steps.size, steps.size)
    top = {"8 bit": 255.0, "unit": 1.0}.get(steps.depth, max([steps.highest, *(high for _, high in steps.limits)]))
    raw = torch.rand(count, len(steps.channels), *shape, generator=generator) * top
    raw = raw if steps.depth == "unit" else raw.round()
    limits = torch.tensor([0.0, top]).expand(count, len(steps.sources), 2) if steps.rule == "given" else None
    return Sample(raw, preprocessing(raw, limits), limits)


def by_torch(model: ExportedModel) -> Compute:
    """Compute by the exported model in torch."""

    @torch.no_grad()
    def compute(inputs: Mapping[str, NDArray[np.float32]]) -> Outputs:
        given = [torch.from_numpy(inputs[name]) for name in model.input_names]
        return [output.numpy() for output in model(*given)]

    return compute


def difference(exportable: Exportable, samples: Sequence[Sample], compute: Compute) -> float:
    """Largest difference between outputs of the trained model and others; of outputs above 1 relative to them."""
    largest = 0.0
    for sample in samples:
        inputs = {exportable.model.input_names[0]: sample.raw.numpy()}
        if sample.limits is not None:
            inputs["limits"] = np.ascontiguousarray(sample.limits.numpy())
        for ours, theirs in zip(compute(inputs), exportable.expected(sample.items), strict=True):
            expected = theirs.numpy()
            apart = np.abs(ours - expected) / np.maximum(np.abs(expected), 1)
            largest = max(largest, float(np.nan_to_num(apart, nan=np.inf).max()))
    return largest


def preparation_difference(model: ExportedModel, samples: Sequence[Sample]) -> float:
    """Largest difference between the exported model's own items and those of the data set, in 0..1."""
    if model.preprocessing is None:
        return 0.0
    apart = [(model.preprocessing(sample.raw, sample.limits) - sample.items).abs().max() for sample in samples]
    return float(torch.stack(apart).nan_to_num(nan=torch.inf).max())


def example_of(samples: Sequence[Sample]) -> tuple[Tensor, ...]:
    """Inputs of two images by which a graph is traced."""
    first = replace(samples[0])
    raw = first.raw[[0, -1]]
    return (raw,) if first.limits is None else (raw, first.limits[[0, -1]])
