"""A process that does its share of the work that another one orders."""

import json
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from multiprocessing.connection import Client, Connection
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from micrographia.devices.shares import Place
from micrographia.errors import UserError, answer
from micrographia.runs.allocator import keep_large_allocations

ADDRESS = "MICROGRAPHIA_CREW"
"""Environment variable that tells a started process where to go; other users cannot read it."""
END = b""
GRACE = 20.0
"""Seconds that a process has to end its work when the leading one has gone."""


@dataclass(frozen=True)
class Address:
    """Where the leading process listens, and the key that both must know.

    Examples
    --------
    >>> Address.read(Address("localhost", 1234, "ab").written())
    Address(host='localhost', port=1234, key='ab')
    """

    host: str
    port: int
    key: str

    def written(self) -> str:
        """As text."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "Address":
        """From text."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Order:
    """A work for all processes; ``port`` None: they do not talk with each other in the meantime."""

    work: Callable[..., Any]
    shared: tuple[Any, ...]
    size: int
    devices: int
    host: str
    port: int | None
    backend: str
    timeout: float
    threads: int | None


@dataclass(frozen=True)
class Report:
    """What has become of a process's share.

    Attributes
    ----------
    done : bool
        Whether it is done; else ``message`` says why not.
    mistake : bool
        Whether that is the user's to mend.
    left_alone : bool
        Whether the error is what torch says when another process has gone.
    """

    done: bool
    message: str = ""
    mistake: bool = False
    left_alone: bool = False


def serve(address: Address, rank: int) -> None:
    """Do what is ordered until the leading process says that it is enough, or ends.

    Raises
    ------
    UserError
        If it has ended before.
    """
    try:
        connection = Client((address.host, address.port), authkey=bytes.fromhex(address.key))
    except OSError as error:
        raise UserError(f"how.trainer: process 0 at {address.host}:{address.port} has gone ({error}).") from error
    connection.send(rank)
    orders: SimpleQueue[bytes] = SimpleQueue()
    finished = Event()
    Thread(target=listen, args=(connection, orders, finished), daemon=True).start()
    try:
        while (order := orders.get()) != END:
            connection.send(performed(order, rank))
    except OSError:  # nobody listens any more
        pass
    finally:
        finished.set()
        connection.close()


def listen(connection: Connection, orders: "SimpleQueue[bytes]", finished: Event) -> None:
    """Pass orders on; when the leading process has gone, end this one, which may be waiting for it in torch."""
    try:
        while (order := connection.recv_bytes()) != END:
            orders.put(order)
        orders.put(END)
    except (EOFError, OSError):
        orders.put(END)
        if not finished.wait(GRACE):
            os._exit(1)


def performed(content: bytes, rank: int) -> Report:
    """Do the own share of an order, and say what has become of it."""
    try:
        order: Order = pickle.loads(content)  # of the process that knows the key
        place = Place(rank, order.size)
        prepare_arithmetic()
        with (
            divided_threads(order.threads, order.devices),
            process_group(place, store_of(order), order.backend, order.timeout),
        ):
            order.work(place, *order.shared)
    except UserError as error:
        return Report(False, str(error), mistake=True)
    except OSError as error:
        try:
            return Report(False, answer(error), mistake=True)
        except OSError:
            return Report(False, traceback.format_exc())
    except (SystemExit, KeyboardInterrupt):
        return Report(False, "It was told to stop.", mistake=True)
    except Exception as error:
        return Report(False, traceback.format_exc(), left_alone=is_of_torch(error))
    return Report(True)


def is_of_torch(error: Exception) -> bool:
    """Whether an error is one of talking with other processes."""
    from torch.distributed import DistError

    said = str(error).lower()
    return isinstance(error, DistError) or any(word in said for word in ("gloo", "nccl", "connection", "tcpstore"))


def store_of(order: Order) -> Any:
    """The store through which the processes of an order find each other, if they do."""
    if order.port is None:
        return None
    from torch.distributed import TCPStore

    return TCPStore(order.host, order.port, order.size, False, timedelta(seconds=order.timeout))


def prepare_arithmetic() -> None:
    """Compute as the leading process does, which flushes denormal numbers."""
    import torch

    torch.set_flush_denormal(True)
    keep_large_allocations()


@contextmanager
def divided_threads(threads: int | None, devices: int) -> Iterator[None]:
    """So many threads of torch, or else a part of those there are, for as long as the block lasts."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads or max(1, before // devices))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def process_group(place: Place, store: Any, backend: str, timeout: float) -> Iterator[None]:
    """Torch's process group, for as long as the block lasts; none without a store."""
    if store is None:
        yield
        return
    from torch import distributed

    limit = timedelta(seconds=timeout)
    distributed.init_process_group(backend, store=store, rank=place.rank, world_size=place.size, timeout=limit)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def main(rank: int) -> None:
    """Follow the process that has started this one, whose Ctrl-C is not this one's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(Address.read(os.environ.pop(ADDRESS)), rank)
    os._exit(0)  # nothing is left to write, and torch takes its time to end
