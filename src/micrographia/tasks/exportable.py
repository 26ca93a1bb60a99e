"""What of a finished run is exported: its trained model, what comes before it, and what is known of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from hydra.utils import get_object
from torch import Tensor

from micrographia import __version__
from micrographia.config import instantiate
from micrographia.data.catalogue.terms import SYNTHETIC, terms_of
from micrographia.data.image_folder import ImageFolder
from micrographia.data.planes import COLOURS
from micrographia.data.preprocessing import Preprocessing, Steps, resizes_tall_first
from micrographia.data.reading import read_header
from micrographia.errors import UserError
from micrographia.models.backbones import Backbone
from micrographia.models.classifier import Classifier, TransferClassifier
from micrographia.models.counting import CountingModule
from micrographia.models.exported import ExportedModel, body_of, describe_body
from micrographia.models.flow import LatentFlow
from micrographia.models.gan.stylegan2 import StyleGAN2
from micrographia.models.vae.vae import VAE
from micrographia.runs.run import How, Run
from micrographia.tasks.assembly import load_model, source_run
from micrographia.tasks.evaluated import latent_names, load_last, training_of
from micrographia.tasks.model_holders import instead_of_flow

FORMAT = 1  # of the description; raise it when older files cannot be built any more


@dataclass(frozen=True)
class Exportable:
    """A finished run's model, as it was trained and as it is exported.

    Attributes
    ----------
    run : Run
        The run.
    trained : CountingModule
        The trained model, which the exported one is compared with.
    backbone : Backbone or None
        What turns images into the model's features.
    data : dict
        The node of its data.
    record : dict
        What the run keeps of its data.
    size : int
        Side of the images, in pixels.
    model : ExportedModel
        What is written.
    """

    run: Run
    trained: CountingModule
    backbone: Backbone | None
    data: Mapping[str, Any]
    record: Mapping[str, Any]
    size: int
    model: ExportedModel

    @torch.no_grad()
    def expected(self, items: Tensor) -> tuple[Tensor, ...]:
        """Outputs of the trained model, by its own methods, of items of its data (before the backbone) or of codes."""
        if isinstance(self.trained, StyleGAN2):
            return self.trained.generator(items), self.trained.generator.mapping(items)
        items = items if self.backbone is None else self.backbone(items)
        if isinstance(self.trained, VAE):
            return self.trained.encode(items)
        assert isinstance(self.trained, Classifier)
        probabilities = self.trained.predict_proba(items)
        if isinstance(self.trained, TransferClassifier):
            return probabilities, self.trained.embed(items)
        return (probabilities,)


def exportable_of(run: Run, how: How) -> Exportable:
    """The model of a finished run.

    Raises
    ------
    UserError
        If it holds none that can be exported: what to export instead. See `require_model` for runs of other tasks.
    """
    config = run.config
    training = run
    if config.get("task") == "transfer":
        training = training_of(run, how)
        names = latent_names(run, training)
        trained: CountingModule = load_last(run, names, how)
        record = run.record("data")
    else:
        trained = load_model(run, how)
        names, record = list(trained.latent_names), run.record("model")["data"]
    if isinstance(trained, LatentFlow):
        raise UserError(f"run={run.folder}: {instead_of_flow(config)}")
    made = training.config
    node = made.get("backbone") or {}
    backbone = instantiate(node, "backbone") if node.get("_target_") else None
    shape = tuple(trained.shape)
    size = backbone.size if backbone else shape[-1]
    try:
        body = body_of(trained)
    except UserError as error:
        raise UserError(f"run={run.folder}: {error}") from error
    steps = None
    if not isinstance(trained, StyleGAN2):
        steps = steps_of(config["data"], record, 3 if backbone else shape[0], size)
    terms = terms_of(config["data"])
    description = {
        "format": FORMAT,
        "micrographia": __version__,
        "task": config["task"],
        "run": config["name"],
        "digest": run.result["digest"],
        "body": describe_body(body, made["model"], network_of(trained, made, how)),
        "shape": list(shape),
        "classes": list(getattr(trained, "classes", ())),
        "latents": names,
        "size": size,
        "backbone": None if backbone is None else {"config": dict(node), "identity": backbone.identity},
        "preprocessing": None if steps is None else steps.written(),
        "steps": [] if steps is None else steps.described(),
        "data": terms.name,
        "licence_of_data": terms.licence,
        "citation_of_data": terms.citation,
    }
    preprocessing = None if steps is None else Preprocessing(steps)
    model = ExportedModel(description, body, preprocessing, backbone)
    return Exportable(run, trained, backbone, config["data"], record, size, model)


def network_of(trained: CountingModule, config: Mapping[str, Any], how: How) -> Mapping[str, Any] | None:
    """Node of the encoder's network: a VAE's own, or that of the source of a classifier on its latents."""
    if isinstance(trained, TransferClassifier):
        return source_run(config["model"]["source"], how, "model.source", made=True).config["model"]["network"]
    return config["model"].get("network") if isinstance(trained, VAE) else None


def steps_of(data: Mapping[str, Any], record: Mapping[str, Any], model_channels: int, size: int) -> Steps:
    """What is done to raw pixel values before the model sees them, by what a run keeps of its data.

    Parameters
    ----------
    data
        The node of the data.
    record
        What the run keeps of them.
    model_channels, size
        Of the images that the model, or its backbone, takes.

    Raises
    ------
    UserError
        If the run does not know.
    """
    every = tuple(range(model_channels))
    if "rule" in record:
        return steps_of_files(data, record, model_channels, size)
    if "plates" in record:
        channels = tuple(record["channels"].split(", "))
        resized = size != data["crop_px"]
        return Steps(channels, every, size, depth="deep", rule="given", resized=resized)
    target = str(data["_target_"])
    if target.startswith(SYNTHETIC) and "limits" in record:
        channels = get_object(target).channels
        return Steps(channels, every, size, depth="deep", rule="limits", limits=pairs(record["limits"]))
    if get_object(target) is ImageFolder:
        raise UserError(
            "the run was made by a version that did not keep how values become 0 to 1. Make it anew, how.rerun=true."
        )
    names = COLOURS if model_channels == 3 else tuple(f"channel {number}" for number in every)
    return Steps(names, every, size, depth="8 bit" if target.startswith(SYNTHETIC) else depth_of(data, size))


def depth_of(data: Mapping[str, Any], size: int) -> Literal["8 bit", "unit"]:
    """Whether a set of a class that is not this package's holds 0..255 or 0..1."""
    made = instantiate({**data, "size": size} if "size" in data else data, "data")
    made.setup("fit")
    return "8 bit" if made.images(made.indices("train")[:1]).dtype == torch.uint8 else "unit"


def steps_of_files(data: Mapping[str, Any], record: Mapping[str, Any], model_channels: int, size: int) -> Steps:
    """Steps of images that are read from files one by one, by the record of `ImageFolder`."""
    blank = set(record["blank"])
    listings = [listing.split(", ") for listing in record["channels"].split("; ")]
    names = max(listings, key=lambda names: len(set(names)))  # of colours and grey beside each other: the colours
    if len(names) != model_channels:  # a name that holds the comma
        names = ["channel 0" if record["repeats"] else f"channel {number}" for number in range(model_channels)]
    shown = [number for number in range(model_channels) if number not in blank]
    if record["repeats"]:
        shown = [number for place, number in enumerate(shown) if names[number] not in [names[n] for n in shown[:place]]]
    channels = tuple(names[number] for number in shown)
    sources = tuple(
        None if number in blank else channels.index(name) if record["repeats"] else shown.index(number)
        for number, name in enumerate(names)
    )
    deep = record["dtype"] != "uint8"
    rule: Any = "given" if "limits_of_plates" in record else record["rule"]
    return Steps(
        channels,
        sources,
        size,
        depth="deep" if deep else "8 bit",
        rule=rule,
        limits=pairs(record["limits"]),
        percentiles=tuple(record.get("percentiles", (0.1, 99.9))),  # type: ignore[arg-type]
        highest=highest_of(data) if deep and rule == "dtype" else 255.0,
        invert=record.get("invert", data["invert"]),
        resized=True,
        side=record["side"],
        background=record.get("background", data["background"]),
        tall_first=resizes_tall_first(),
    )


def pairs(limits: Any) -> tuple[tuple[float, float], ...]:
    """Limits of a record as pairs."""
    return tuple((float(low), float(high)) for low, high in limits)


def highest_of(data: Mapping[str, Any]) -> float:
    """What becomes 1 of deep images that are scaled by the range of their type, which only their files know."""
    root = Path(data["root"])
    folder = instantiate({**data, "size": data["size"] or 1}, "data")
    dtype = read_header(root / folder.arrange()["file"].iloc[0]).dtype
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0
