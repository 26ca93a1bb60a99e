"""Trained networks for use elsewhere: from raw pixel values to named outputs, without what training needs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from micrographia.config import instantiate
from micrographia.data.preprocessing import Preprocessing, Steps
from micrographia.errors import UserError
from micrographia.models.classifier import CNN, TransferClassifier, perceptron
from micrographia.models.gan.generator import Generator
from micrographia.models.gan.stylegan2 import StyleGAN2
from micrographia.models.residual import ResidualEncoder
from micrographia.models.vae.networks import Network
from micrographia.models.vae.vae import VAE

WEIGHTS, DESCRIPTION = "model.safetensors", "model.json"
KEY = "micrographia"  # of the description in the metadata of safetensors


class Encoder(nn.Module):
    """Mean and log-variance of the codes of a VAE."""

    outputs = ("latents", "log_variances")

    def __init__(self, network: Network):
        super().__init__()
        self.network = without_decoder(network)

    def forward(self, items: Tensor) -> tuple[Tensor, ...]:
        """``latents`` and ``log_variances``, each ``(n, latents)``."""
        mean, logvar = self.network.encoder(self.network.normalise(items))
        return mean, logvar


class LatentClassifier(nn.Module):
    """Class probabilities, and the latents that they are read from."""

    outputs = ("probabilities", "latents")

    def __init__(self, network: Network, head: nn.Module):
        super().__init__()
        self.network, self.head = without_decoder(network), head

    def forward(self, items: Tensor) -> tuple[Tensor, ...]:
        """``probabilities`` ``(n, classes)`` and ``latents`` ``(n, latents)``."""
        latents = self.network.encoder(self.network.normalise(items))[0]
        return self.head(latents).softmax(1), latents


class ImageClassifier(nn.Module):
    """Class probabilities of images."""

    outputs = ("probabilities",)

    def __init__(self, encoder: nn.Module, head: nn.Module):
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, items: Tensor) -> tuple[Tensor, ...]:
        """``probabilities`` ``(n, classes)``."""
        return (self.head(self.encoder(items)).softmax(1),)


class ImageGenerator(nn.Module):
    """Images of codes, with the generator's fixed noise."""

    outputs = ("images", "w")

    def __init__(self, generator: Generator):
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor) -> tuple[Tensor, ...]:
        """``images`` ``(n, channels, size, size)`` in 0..1, not clamped; ``w`` ``(n, w_dim)``."""
        w = self.generator.mapping(z)
        return self.generator.synthesis(self.generator.tile(w)), w


class ExportedModel(nn.Module):
    """A trained network with all that comes before it, from raw values to named outputs.

    Parameters
    ----------
    description
        How to build it, and what its inputs and outputs are, in JSON's types; see `describe_body`.
    body, preprocessing, backbone
        Its parts; the last two where it has them.

    Attributes
    ----------
    input_names, output_names : tuple of str
        In their order.
    """

    def __init__(
        self,
        description: Mapping[str, Any],
        body: nn.Module,
        preprocessing: Preprocessing | None = None,
        backbone: nn.Module | None = None,
    ):
        super().__init__()
        self.description = dict(description)
        self.body, self.preprocessing, self.backbone = body, preprocessing, backbone
        self.output_names: tuple[str, ...] = body.outputs  # type: ignore[assignment]
        given = preprocessing is not None and preprocessing.steps.rule == "given"
        first = "image" if preprocessing is not None else "z"
        self.input_names: tuple[str, ...] = (first, "limits") if given else (first,)
        self.requires_grad_(False).eval()

    def forward(self, values: Tensor, limits: Tensor | None = None) -> tuple[Tensor, ...]:
        """Outputs, in the order of `output_names`, of raw pixel values or, of a generator, of codes.

        Parameters
        ----------
        values
            ``(n, channels, height, width)``, float32, as read from files; a generator's ``(n, z_dim)``.
        limits
            Of images whose plates are scaled each by itself, ``(n, model channels, 2)``: values that become 0 and 1.
        """
        items = values if self.preprocessing is None else self.preprocessing(values, limits)
        return self.body(items if self.backbone is None else self.backbone(items))

    def own_state(self) -> dict[str, Tensor]:
        """Weights, but for a backbone's, which its own package brings."""
        return {name: tensor for name, tensor in self.state_dict().items() if not name.startswith("backbone.")}


def without_decoder(network: Network) -> Network:
    """A network whose encoder alone is kept."""
    network.decoder = nn.Identity()
    return network


def body_of(model: nn.Module) -> nn.Module:
    """What of a trained model is exported; the model is used up.

    Raises
    ------
    UserError
        If it is neither an encoder, nor a classifier, nor a generator of images.
    """
    match model:
        case VAE():
            return Encoder(model.network)
        case TransferClassifier():
            return LatentClassifier(model.network, model.head)
        case CNN():
            return ImageClassifier(model.encoder, model.head)
        case StyleGAN2():
            return ImageGenerator(model.generator)
    raise UserError(
        f"a {type(model).__name__} is not exported. Export the run of a VAE, of a classifier (model=cnn, "
        "model=transfer_classifier), of a generator (model=stylegan2), or a transfer."
    )


def describe_body(body: nn.Module, config: Mapping[str, Any], network: Mapping[str, Any] | None) -> dict[str, Any]:
    """How `build_body` makes a body of the same architecture.

    Parameters
    ----------
    config
        The model's node in its run's configuration.
    network
        Node of the encoder's network, of a VAE's or of that which a classifier learned on.
    """
    match body:
        case Encoder():
            return {"kind": "encoder", "network": network}
        case LatentClassifier():
            return {"kind": "latent_classifier", "network": network, "hidden": list(config["hidden"])}
        case ImageClassifier():
            options = {key: config[key] for key in ("filters", "blocks") if key in config}
            return {"kind": "cnn", "hidden": list(config["hidden"]), **options}
    generator: Any = body
    made = ("mapping_layers", "mapping_rate", "channel_base", "channel_max")
    sizes = {key: getattr(generator.generator, key) for key in ("size", "channels", "z_dim", "w_dim")}
    return {"kind": "generator", **sizes, **{key: config[key] for key in made if key in config}}


def build_body(node: Mapping[str, Any], shape: tuple[int, ...], classes: int, latents: int) -> nn.Module:
    """A body as `describe_body` describes it, with weights that are still to be loaded."""
    options = {key: value for key, value in node.items() if key not in ("kind", "network", "hidden")}
    if node["kind"] == "generator":
        return ImageGenerator(Generator(**options))
    if node["kind"] == "cnn":
        encoder = ResidualEncoder(shape, **options)
        return ImageClassifier(encoder, perceptron([encoder.width, *node["hidden"], classes]))
    network = instantiate(node["network"], "network", shape=shape, latents=latents)
    network = network() if node["network"].get("_partial_") else network
    if node["kind"] == "encoder":
        return Encoder(network)
    return LatentClassifier(network, perceptron([latents, *node["hidden"], classes]))


def load_exported(folder: Path | str) -> ExportedModel:
    """Read back what ``micrographia export format=safetensors`` has written.

    Parameters
    ----------
    folder
        Holds ``model.safetensors``, or is that file.

    Returns
    -------
    The model in evaluation mode; its ``description`` names latents, classes and channels.

    Raises
    ------
    UserError
        If there is no such file, it is damaged, or its backbone is another than here.

    Examples
    --------
    >>> load_exported("nowhere")
    Traceback (most recent call last):
    micrographia.errors.UserError: nowhere/model.safetensors: no such file. Write it: micrographia export ...
    """
    path = Path(folder) / WEIGHTS if Path(folder).suffix != ".safetensors" else Path(folder)
    if not path.is_file():
        raise UserError(f"{path}: no such file. Write it: micrographia export run=PATH format=safetensors.")
    try:
        with safe_open(path, "pt") as file:
            description = json.loads((file.metadata() or {})[KEY])
        weights = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: not an exported model ({error}). Export the run anew.") from error
    model = assembled_from(description)
    if unlike := set(weights) ^ set(model.own_state()):
        raise UserError(f"{path}: weights of another architecture ({sorted(unlike)[0]}). Export the run anew.")
    model.load_state_dict(weights, strict=False)
    return model


def assembled_from(description: Mapping[str, Any]) -> ExportedModel:
    """The model of a description, with weights that are still to be loaded."""
    backbone = None
    if description["backbone"] is not None:
        backbone = instantiate(description["backbone"]["config"], "backbone")
        if backbone.identity != description["backbone"]["identity"]:
            raise UserError(
                f"backbone {backbone.name}: its weights or its preprocessing are not those of the exported model "
                f"({backbone.identity}, expected {description['backbone']['identity']})."
            )
    names = (len(description["classes"]), len(description["latents"]))
    body = build_body(description["body"], tuple(description["shape"]), *names)
    steps = description["preprocessing"]
    preprocessing = None if steps is None else Preprocessing(Steps.read(steps))
    return ExportedModel(description, body, preprocessing, backbone)
