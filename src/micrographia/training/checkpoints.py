"""Checkpoints: written whole or not at all, loaded without running code from them."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.plugins.io import TorchCheckpointIO
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from micrographia.errors import UserError
from micrographia.models.counting import CountingModule
from micrographia.runs.writing import write_atomically


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint files, written by atomic rename and read with ``weights_only=True``."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint whole or not at all."""
        content = io.BytesIO()  # torch's own writing answers a full disk with an error that does not say so
        torch.save(checkpoint, content)
        write_atomically(Path(path), lambda part: part.write_bytes(content.getbuffer()))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Read a checkpoint's tensors and primitives.

        Raises
        ------
        UserError
            If the file is damaged, or holds anything that would have to be executed.
        """
        return read_checkpoint(Path(path))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint's tensors and primitives, never running code from it.

    Raises
    ------
    UserError
        If the file is damaged, or holds anything but tensors and primitives.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # of anything but tensors and primitives, bytes without a meaning included
        raise UserError(
            f"{path}: not loaded: it is damaged, or holds more than tensors and numbers and could execute code. "
            "Delete it to start anew, or use one that micrographia wrote."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not a readable checkpoint ({error or 'cut short'}). Delete it to start anew."
        ) from error


class Checkpoints(Callback):
    """Write ``last.ckpt`` after every Lightning epoch, so that an interrupted run goes on from there."""

    def __init__(self, path: Path):
        self.path = path

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the checkpoint."""
        trainer.save_checkpoint(self.path)


def save_weights(model: CountingModule, path: Path) -> None:
    """Write the weights that a finished run keeps as safetensors."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.lasting_state().items()}
    write_atomically(path, lambda part: part.write_bytes(save(state)))


def load_weights(model: CountingModule, path: Path) -> None:
    """Load safetensors into a model of the same architecture.

    Raises
    ------
    UserError
        If the file is damaged or belongs to another architecture.
    """
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a readable weights file ({error}).") from error
    own = {name: tuple(tensor.shape) for name, tensor in model.lasting_state().items()}
    theirs = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if own != theirs:
        name = next(name for name in sorted({*own, *theirs}) if own.get(name) != theirs.get(name))
        raise UserError(
            f"{path}: weights of another architecture ({name} is {theirs.get(name, 'missing')} there and "
            f"{own.get(name, 'missing')} in {type(model).__name__}). Use the config.yaml that lies beside the weights; "
            "if a former version of micrographia made them, delete that folder and make the run anew."
        )
    model.load_state_dict(state, strict=False)
