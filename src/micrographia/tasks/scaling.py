"""Images of one's own as 0..1, on the scale of the images that the generator has learned."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from micrographia.data.datamodule import IndexedImages
from micrographia.data.decoding import FITTED, in_threads
from micrographia.data.image_folder import ImageFolder
from micrographia.data.reading import read_image
from micrographia.errors import UserError
from micrographia.runs.run import How, Run, What
from micrographia.tasks.assembly import build_data

log = logging.getLogger(__name__)

ORDER = 30.0  # times by which the brightest values of two sets may differ and still be of one unit
LOOKED_AT = 500  # images of which that is judged


def scaled_alike(what: What, how: How, data: IndexedImages) -> IndexedImages:
    """A folder's images as 0..1 by the limits of the images that the generator has learned, where that is given.

    Their own percentiles would be others, since low resolution takes the peaks off, and one bad image would change the
    scale of all. They are taken where the generator's images were scaled plate by plate, or where they are asked for.
    A generator that is trained for the run learns from these images, as they are scaled.

    Parameters
    ----------
    what
        The run's config, whose ``data`` made ``data``.

    Raises
    ------
    UserError
        If the generator's images had no limits, or the images' values are of another order than theirs.
    """
    if "task" in what["generator"] or not isinstance(data, ImageFolder):
        return data
    learned = Run.named(what["generator"]["run"], "generator.run").record("model")["data"]
    by_plates = isinstance(learned.get("limits"), Mapping) or bool(learned.get("limits_of_plates"))
    if data.record()["rule"] == "dtype" and (by_plates or learned.get("limits")):
        ranges = [] if by_plates else [f"{low:.4g} to {high:.4g}" for low, high in learned["limits"]]
        log.warning(
            "%s: intensities by the range of their type. The generator's were scaled %s: images that were stretched "
            "are on another scale, and data.limits sets theirs",
            data.name,
            "plate by plate" if by_plates else f"from {' and '.join(dict.fromkeys(ranges))}",
        )
    if data.record()["rule"] not in FITTED or not data.record()["limits"]:  # of plates each has its own
        return data
    if by_plates:
        log.info(
            "%s: intensities by the images' own percentiles: the generator's were scaled plate by plate. "
            "data.limits sets others",
            data.name,
        )
        return data
    if not learned.get("limits"):
        if what["data"].get("intensity") == "auto":
            raise UserError(
                "data.limits: the images that the generator has learned had no limits, so that nobody knows the scale "
                "of these. Set the values that become 0 and 1: data.limits=[[LOW,HIGH]]."
            )
        log.info("%s: intensities by the images' own percentiles: one image changes the scale of all", data.name)
        return data
    limits = [[low, high if high > low else low + 1] for low, high in learned["limits"]]  # a channel may be constant
    if limits == data.record()["limits"]:
        return data
    own, theirs = brightest(data), max(high for _, high in limits)
    if np.isfinite(own) and not theirs / ORDER < own < theirs * ORDER:
        raise UserError(
            f"data.limits: these images reach {own:.4g}, those that the generator has learned {theirs:.4g}. "
            "Set the values that become 0 and 1: data.limits=[[LOW,HIGH]]."
        )
    log.info("%s: intensities by the generator's limits, %s; data.limits sets others", data.name, limits)
    return build_data({**what, "data": {**what["data"], "limits": limits, "control": None}}, how, data.shape[1], {})


def networks_alike(what: What, record: Mapping[str, Any]) -> What:
    """The run's config, in which networks that are trained for it learn from images on the scale of its data.

    Parameters
    ----------
    record
        Of its data.
    """
    if record.get("rule") != "limits" or what["data"]["limits"] is not None:
        return what

    def alike(node: Mapping[str, Any]) -> Mapping[str, Any]:
        own = {"limits": record["limits"], "control": None}
        return {**node, "data": {**node["data"], **own}} if "task" in node else node

    methods = {
        name: {**node, "network": alike(node["network"])} if "network" in node else node
        for name, node in what["methods"].items()
    }
    return {**what, "encoder": alike(what["encoder"]), "methods": methods}


def brightest(folder: ImageFolder) -> float:
    """Median over a folder's images of their highest finite value, so that no bad one decides; of many, some.

    Images of NaN alone and constant ones, which say nothing of the unit, are not counted; NaN if there are no others.
    """

    def highest(name: str) -> float:
        image = read_image(folder.root / name, nan=True)[1]
        finite = image[np.isfinite(image)]
        return float(finite.max()) if finite.size and finite.min() < finite.max() else np.nan

    files = list(folder.arrange()["file"])
    found = np.array(list(in_threads(highest, files[:: -(-len(files) // LOOKED_AT)])))
    known = found[np.isfinite(found)]
    return float(np.median(known)) if known.size else np.nan


def undivided(what: What) -> dict[str, Any]:
    """A config whose images are not parted, however few there are, and may hold NaN, for which a row is flagged.

    Folders of parts stay what they are.
    """
    whole: dict[str, Any] = (
        {} if what["data"].get("split") == "folders" else {"split": "none", "test": None, "group": []}
    )
    return {**what, "data": {**what["data"], **whole, "nan": True}}
