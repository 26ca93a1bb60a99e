"""Lightning among processes that are there already: it starts none, and finds torch's process group made."""

import signal
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.plugins.environments import ClusterEnvironment
from pytorch_lightning.strategies import DDPStrategy

from micrographia.devices.batch_norm import whole_batch_statistics
from micrographia.devices.shares import ALONE, Place
from micrographia.models.counting import CountingModule
from micrographia.training.checkpoints import AtomicCheckpointIO


class Seat(ClusterEnvironment):
    """A process's place, as Lightning asks for it.

    Parameters
    ----------
    place
        The process.
    devices
        Processes on each machine.
    """

    def __init__(self, place: Place, devices: int):
        super().__init__()
        self.place = place
        self.devices = devices

    @property
    def creates_processes_externally(self) -> bool:
        """Always: Lightning's own way is to execute the command again."""
        return True

    @property
    def main_address(self) -> str:
        """Not asked for, since the process group is there."""
        return ""

    @property
    def main_port(self) -> int:
        """Not asked for."""
        return 0

    @staticmethod
    def detect() -> bool:
        """Never: it is given."""
        return False

    def world_size(self) -> int:
        """Number of processes."""
        return self.place.size

    def set_world_size(self, size: int) -> None:
        """Nothing: it is known."""

    def global_rank(self) -> int:
        """Number of this process."""
        return self.place.rank

    def set_global_rank(self, rank: int) -> None:
        """Nothing: it is known."""

    def local_rank(self) -> int:
        """Number of this process on its machine."""
        return self.place.rank % self.devices

    def node_rank(self) -> int:
        """Number of the machine."""
        return self.place.rank // self.devices


class SharedBatches(DDPStrategy):
    """DDP, but for modules that take their steps themselves: these average their gradients in `take_step`."""

    def configure_ddp(self) -> None:
        """Wrap the module where Lightning takes its steps."""
        assert self.lightning_module is not None
        if self.lightning_module.automatic_optimization:
            super().configure_ddp()


class Termination(Callback):
    """Hears SIGTERM in the first process, which tells the others before the next batch; in these it counts for nothing.

    Lightning's own handler talks with the other processes at once, in the middle of what they are talking about, and
    then waits for ever.

    Parameters
    ----------
    place
        The process.
    """

    def __init__(self, place: Place):
        self.place = place

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Replace Lightning's handler, in whose place it puts the former one at the end."""

        def hear(number: int, frame: Any) -> None:
            trainer._signal_connector.received_sigterm = self.place.rank == 0

        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, hear)


def devices_at(place: Place, how: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a Trainer that say on which devices it trains, beside which others."""
    if place.size == 1:
        return {"devices": 1, "plugins": [AtomicCheckpointIO()]}
    trainer = how["trainer"]
    return {
        "devices": trainer["devices"],
        "num_nodes": trainer["nodes"],
        "strategy": SharedBatches(broadcast_buffers=False, gradient_as_bucket_view=True),
        "plugins": [AtomicCheckpointIO(), Seat(place, trainer["devices"])],
    }


@contextmanager
def trained_at(place: Place, model: CountingModule) -> Iterator[None]:
    """Let a module know its place while it is trained there."""
    if place.size == 1:
        yield
        return
    model.place = place
    try:
        with whole_batch_statistics(model), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Grad strides do not match")  # of 1 x 1 convolutions: the same
            yield
    finally:
        model.place = ALONE
