"""What images are recovered with: flow, encoder, methods and measurement, each fit for the generator."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from torch import nn

from micrographia.config import imported, instantiate
from micrographia.data.latents import mapping_fingerprint
from micrographia.degradations import Degradation
from micrographia.errors import UserError
from micrographia.inversion.latent_encoder import LatentEncoder
from micrographia.inversion.method import Method
from micrographia.inversion.problem import Problem
from micrographia.measure.assays.assay import CellAssay
from micrographia.models.gan.generator import Generator
from micrographia.runs.run import How, Run, What
from micrographia.tasks.assembly import DEFAULT_SIZE, load_model, source_run


def as_seen(degradation: Degradation, untold: Mapping[str, Any], low: bool) -> Degradation:
    """A degradation with what is done to images on top of it and nobody is told: no search, network or interval.

    Parameters
    ----------
    untold
        Nodes of filters and noise by name; null ones are none.
    low
        Whether the images are of low resolution themselves, so that nothing is done to them.

    Raises
    ------
    UserError
        If there is something to be done to images of low resolution, or it is no filter, or one that reduces.
    """
    nodes = {name: node for name, node in untold.items() if node is not None}
    if nodes and low:
        raise UserError(
            f"untold.{next(iter(nodes))}: these images are of low resolution themselves, and nothing is done to them. "
            "Set untold=none."
        )
    further: dict[str, nn.Module] = {}
    for name, node in nodes.items():
        step = instantiate(node, f"untold.{name}") if isinstance(node, Mapping) and "_target_" in node else None
        if not isinstance(step, nn.Module):
            raise UserError(f"untold.{name}={node}: no filter and no noise. Choose one, as untold=gaussian_noise.")
        if getattr(step, "factor", 1) != 1:
            raise UserError(f"untold.{name}: it reduces the image, which belongs into degradation.steps.")
        further[f"untold_{name}"] = step
    return degradation.altered(further)


def checked_methods(nodes: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The methods' configs, without those that are null.

    Raises
    ------
    UserError
        If none is left, or one is no method.
    """
    methods = {name: node for name, node in nodes.items() if node is not None}
    if not methods:
        raise UserError("methods: none is left. Keep one, or add one as +inversion@methods.rls=rls.")
    for name, node in methods.items():
        if not isinstance(node, Mapping) or "_target_" not in node:
            raise UserError(f"methods.{name}={node}: no method. Add one as +inversion@methods.{name}=rls.")
    return methods


def require_inputs(what: What) -> None:
    """Refuse what lacks its encoder or its flow, before anything is trained for it.

    Raises
    ------
    UserError
        If a method needs an encoder and there is none, or one of its terms, or of the encoder's, is none or needs
        a flow that is not there.
    """
    there = {part: "task" in what[part] or what[part]["run"] is not None for part in ("encoder", "flow")}
    terms = {f"methods.{name}.terms": node.get("terms") or {} for name, node in what["methods"].items()}
    if "task" in what["encoder"]:
        terms["encoder.model.terms"] = what["encoder"]["model"].get("terms") or {}
    for name, node in what["methods"].items():
        asked = {"start.kind=mean": (node.get("start") or {}).get("kind"), "axes=styles": node.get("axes")}
        without = [f"methods.{name}.{key}" for key, value in asked.items() if value == "encoder"]
        if without and not there["encoder"]:
            raise UserError(
                f"methods.{name} needs an encoder: choose encoder=trained or encoder=RUN, or {' and '.join(without)}."
            )
    for key, named in terms.items():
        for name, term in named.items():
            if term is None:
                continue
            if not isinstance(term, Mapping) or "_target_" not in term:
                raise UserError(
                    f"{key}.{name}={term}: no term. Name its class as {key}.{name}._target_, or set it to null."
                )
            needs = getattr(imported(term["_target_"], f"{key}.{name}"), "needs", ())
            if term.get("weight") and "flow" in needs and not there["flow"]:
                raise UserError(
                    f"{key}.{name} needs a flow over the generator's latents: choose flow=trained or flow=RUN, or "
                    f"{key}.{name}.weight=0."
                )


def generated(what: What) -> tuple[int | None, int]:
    """Channels and side of the generator's images; one that is to be trained takes its channels from the data: None."""
    node = what["generator"]
    if "task" in node:
        return None, node["data"].get("size") or DEFAULT_SIZE
    shape = Run.named(node["run"], "generator.run").record("model")["shape"]
    if len(shape) != 3:
        raise UserError(f"generator.run: {node['run']} makes no images. Name a run of model=stylegan2.")
    return shape[0], shape[1]


def load_encoder(
    node: Mapping[str, Any], how: How, generator: Generator, degradation: Degradation, made: bool = False
) -> LatentEncoder | None:
    """The network that gives searches their first codes; None where there is none.

    Parameters
    ----------
    made
        As of `source_run`.

    Raises
    ------
    UserError
        If the run is of another model, or finds the styles of another generator or degradation.
    """
    if "task" not in node and node["run"] is None:
        return None
    encoder = load_model(source_run(node, how, "encoder", made), how)
    if not isinstance(encoder, LatentEncoder):
        raise UserError(f"encoder: a {type(encoder).__name__} makes no codes. Name a run of model=latent_encoder.")
    if mapping_fingerprint(encoder.generator) != mapping_fingerprint(generator):
        raise UserError("encoder: it has learned the styles of another generator. Train one: encoder=trained.")
    if encoder.degradation.factor != degradation.factor:
        raise UserError(
            f"encoder: it undoes a reduction by {encoder.degradation.factor}, not by {degradation.factor} as "
            "degradation.steps.reduce.factor says. Train one: encoder=trained."
        )
    # Filters are compared by what they do, whatever they are called.
    image = torch.rand(1, *encoder.shape, generator=torch.Generator().manual_seed(0))
    undone = encoder.degradation.clean(image.to(next(encoder.parameters()).device)).cpu()
    if not torch.allclose(undone, degradation.clean(image), atol=1e-4):
        raise UserError("encoder: it undoes another degradation than the config's. Train one: encoder=trained.")
    return encoder


def build_method(name: str, what: What, how: How, problem: Problem, made: bool = False) -> Method:
    """A method from its config, fit for the problem; one that uses a network gets it (``made``: it is trained)."""
    node = dict(what["methods"][name])
    given = {"seed": what["seed"]} if "terms" in node else {}
    if "network" in node:
        network = dict(node.pop("network"))
        if "task" in network and network["data"].get("size") is None:
            network["data"] = {**network["data"], "size": problem.shape[1]}
        given["network"] = load_model(source_run(network, how, f"methods.{name}.network", made), how)
    method = instantiate(node, f"methods.{name}", **given)
    method.check(problem)
    return method


def build_assay(what: What, channels: int, size: int, low: bool) -> CellAssay | None:
    """The measurement, which must name the images' channels; None where nothing is to be measured.

    Parameters
    ----------
    size
        Side of the images in pixels.
    low
        Whether the images are of low resolution themselves, so that there is none to take an illumination from.
    """
    if not what["measurement"].get("_target_"):
        return None
    assay = instantiate(what["measurement"], "measurement")
    if len(assay.channels) != channels:
        raise UserError(
            f"measurement.channels names {', '.join(assay.channels)}, the images have {channels} channels. "
            "Name them in order, or set measurement=none."
        )
    if low and assay.illumination_px is not None:
        raise UserError(
            "measurement.illumination_px: illumination is taken from images of high resolution, and these are of low. "
            "Set it to null, and correct the images beforehand."
        )
    return assay.sized(size)


def require_truth(assay: CellAssay, known: pd.DataFrame, what: What) -> None:
    """Refuse a measurement of which a simulated set knows no truth: it is made for another assay."""
    if not set(assay.values) & set(known):
        raise UserError(
            f"measurement: it reads {', '.join(assay.values)} off the images, of which data={what['data']['name']} "
            f"knows nothing. Set measurement={what['data']['name']}, or none."
        )
