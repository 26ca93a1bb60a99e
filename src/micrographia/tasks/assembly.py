"""From config nodes to data sets and models, and from a finished run back to its model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from micrographia import __version__
from micrographia.config import imported, instantiate, takes
from micrographia.data.datamodule import IndexedImages
from micrographia.data.decoding import VERSION
from micrographia.data.features import FeatureData
from micrographia.data.latents import mapping_fingerprint
from micrographia.errors import UserError, within
from micrographia.models.counting import CountingModule
from micrographia.models.flow import LatentFlow
from micrographia.models.gan.generator import Generator
from micrographia.models.gan.stylegan2 import StyleGAN2
from micrographia.models.vae.vae import VAE
from micrographia.runs.address import digest
from micrographia.runs.fingerprint import ContentHashes
from micrographia.runs.inputs import made_run
from micrographia.runs.run import How, Run, What, at_precision_of
from micrographia.training.checkpoints import load_weights
from micrographia.training.fit import device_of, prepare_threads
from micrographia.training.progress import WorkProgress

DEFAULT_SIZE = 64  # side in pixels where neither data.size nor a source model says otherwise


def build_data(
    what: What, how: How, size: int | None = None, backbone: Mapping[str, Any] | None = None
) -> IndexedImages:
    """Build a config's data set, set up and, with a backbone, turned into features.

    Parameters
    ----------
    size
        Side in pixels where ``data.size`` is null; None takes the backbone's input, else 64.
    backbone
        Config of the frozen network; None takes the config's own.
    """
    prepare_threads(how)  # before anything is computed: a resumed run must not differ by what was trained before it
    backbone = what.get("backbone") if backbone is None else backbone
    network = instantiate(backbone, "backbone") if backbone and backbone.get("_target_") else None
    node = dict(what["data"])
    if "generator" in node:
        model = load_model(source_run(node.pop("generator"), how, "data.generator"), how)
        return instantiate(node, "data", generator_model=model)
    if node.get("size") is None and takes(node, "size"):
        node["size"] = size or (network.size if network else DEFAULT_SIZE)
    cache = Path(how["paths"]["cache"])
    given: dict[str, Any] = {}
    if "root" in node or "fields" in node:  # images that lie on disk
        given = {"cache": str(cache), "progress": WorkProgress(f"reading {node['name']}", how["progress"])}
        given = {name: value for name, value in given.items() if takes(node, name)}  # a user's class may need neither
    data = instantiate(node, "data", **given)
    data.setup("fit")
    if network is None:
        return data
    versions = {"version": __version__, "decoding": VERSION}  # either may render or decode the same config otherwise
    left_out = sorted(data.record().get("left_out", {}))  # which rows there are depends on it
    identity = digest({"data": node, "left_out": left_out, **versions}, ContentHashes(cache / "fingerprints.json"))
    progress = WorkProgress(f"features of {node['name']}", how["progress"])
    return FeatureData(data, network, cache, identity, device=device_of(how), progress=progress)


def build_model(what: What, how: How, data: IndexedImages) -> CountingModule:
    """Build a config's model for a data set, with weights drawn from its seed."""
    return model_from(what, how, tuple(data.shape), data.classes)


def model_from(
    what: What, how: How, shape: tuple[int, ...], classes: tuple[str, ...], made: bool = False
) -> CountingModule:
    """Build a config's model from the shape of its items and the names of its classes.

    Parameters
    ----------
    made
        The model is read back: the runs that it takes as inputs are there, and are not trained.
    """
    node = dict(what["model"])
    given: dict[str, Any] = {"shape": shape, "seed": what["seed"]}
    if not is_adversarial(node):
        given["optimizer"] = instantiate(what["optimizer"], "optimizer")
    if "source" in node:
        given["source_model"] = load_model(source_run(node.pop("source"), how, "model.source", made), how)
    if "generator" in node:
        given["generator"] = load_generator(node.pop("generator"), how, "model.generator", made)
    if "flow" in node:
        flow = node.pop("flow")
        if made:  # what has learned its terms encodes without them
            node["terms"] = {}
        else:
            given["flow"] = load_flow(flow, how, given["generator"], "model.flow")
    if is_adversarial(node):
        start = node.pop("start", {"run": None})  # which runs of former versions do not have
        if start["run"] is not None and not made:  # read back, it has weights of its own
            given["start"] = load_generator(start, how, "model.start")
    if is_classifier(node):
        given["classes"] = classes
    return instantiate(node, "model", **given)


def is_classifier(node: Mapping[str, Any]) -> bool:
    """Whether a model config is of a classifier."""
    return descends(node, "micrographia.models.classifier.")


def is_adversarial(node: Mapping[str, Any]) -> bool:
    """Whether a model config is of a generator and its discriminator, which names an optimiser for each."""
    return descends(node, "micrographia.models.gan.")


def descends(node: Mapping[str, Any], place: str) -> bool:
    """Whether a model config's class, or one that it builds on, is from a place in this package.

    Raises
    ------
    UserError
        If the class cannot be imported.
    """
    bases = getattr(imported(node["_target_"], "model"), "__mro__", ())
    return any(f"{base.__module__}.".startswith(place) for base in bases)


def source_run(node: Mapping[str, Any], how: How, key: str = "source", made: bool = False) -> Run:
    """Obtain the run that a node stands for: trained if it is a train config, else read back.

    Parameters
    ----------
    key
        Where the node stands in the config, for messages.
    made
        It has been trained before: to train it anew would be hours that nobody asked for.

    Raises
    ------
    UserError
        If the named run is not a finished training, or is gone that was made before.
    """
    from micrographia.tasks.train import train

    if made:
        return made_run(node, how, key)
    if "task" in node:
        with within(key):
            return train(node, how)
    return Run.named(node["run"], f"{key}.run")


def load_generator(node: Mapping[str, Any], how: How, key: str, made: bool = False) -> Generator:
    """Generator of the StyleGAN2 run that a node stands for.

    Raises
    ------
    UserError
        If the run is of another model.
    """
    model = load_model(source_run(node, how, key, made), how)
    if not isinstance(model, StyleGAN2):
        raise UserError(f"{key}: a {type(model).__name__} makes no images from codes. Name a run of model=stylegan2.")
    return model.generator


def load_flow(
    node: Mapping[str, Any], how: How, generator: Generator, key: str = "flow", made: bool = False
) -> LatentFlow | None:
    """The flow over the generator's latents; None where there is to be none.

    Parameters
    ----------
    key
        Where the node stands in the config, for messages.
    made
        As of `source_run`.

    Raises
    ------
    UserError
        If the run is of another model, or over the latents of another generator.
    """
    if "task" not in node and node["run"] is None:
        return None
    run = source_run(node, how, key, made)
    flow = load_model(run, how)
    if not isinstance(flow, LatentFlow):
        raise UserError(f"{key}: a {type(flow).__name__} has no density. Name a run of model=latent_flow.")
    if run.record("model")["data"].get("generator") != mapping_fingerprint(generator):
        other = "flow=trained" if "task" not in node else "flow.seed=1, which is another run"
        mend = f"Train one: {other}." if key == "flow" else f"Set {key}.run to a run over this one's."
        raise UserError(f"{key}: {run.folder} has learned the latents of another generator. {mend}")
    return flow


def load_model(run: Run, how: How) -> CountingModule:
    """Read a finished training's model back, in evaluation mode on the device that encodes.

    Raises
    ------
    UserError
        If the run is not a training, or its weights do not fit its config.
    """
    config = run.config
    if config.get("task") != "train" or not run.weights.exists():
        raise UserError(f"{run.folder}: not a finished training, so it holds no model.")
    record = run.record("model")
    how = at_precision_of(run, how)
    model = model_from(config, how, tuple(record["shape"]), tuple(record["classes"]), made=True)
    load_weights(model, run.weights)
    model.latent_names = record["latents"]
    return model.eval().to(device_of(how))


def load_vae(run: Run, how: How, key: str) -> VAE:
    """Read the VAE of a finished training back.

    Parameters
    ----------
    key
        The config's key that names the run, for messages.

    Raises
    ------
    UserError
        If the run is no training, or of another model.
    """
    model = load_model(run, how)
    if not isinstance(model, VAE):
        raise UserError(f"{key}: {run.folder} holds a {type(model).__name__}, and no VAE, whose latents are wanted.")
    return model


@torch.no_grad()
def encode(model: VAE, data: IndexedImages, indices: torch.Tensor, names: list[str]) -> pd.DataFrame:
    """Posterior means of items as a table: one row per index, one column per latent."""
    means = [model.encode(chunk.to(model.device))[0].cpu() for chunk in data.chunks(indices)]
    return pd.DataFrame(torch.cat(means).numpy(), columns=names, index=pd.Index(indices.tolist(), name="item"))
