"""The processes of a run: one that makes it, and others that do their shares of its work when they are told to.

The process that holds the run's lock leads. It starts the others itself, none of which sees the command; where Slurm
has started them already, they come to it (`micrographia.devices.tasks`). Work is a function and its arguments, which
the leader sends, pickled, through connections that both ends have authenticated.
"""

import os
import pickle
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection, Listener, wait
from multiprocessing.context import AuthenticationError
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from micrographia.devices.follower import ADDRESS, END, Address, Order, Report, divided_threads, process_group, serve
from micrographia.devices.shares import ALONE, Place
from micrographia.devices.tasks import Tasks, tasks_here
from micrographia.errors import UserError

JOINING = 300.0  # seconds in which all processes must have come
LEAVING = 10.0  # seconds in which they must have gone, or said why they failed


class Crew:
    """All processes of a run, seen from one of them.

    Parameters
    ----------
    size
        Number of processes, this one included.
    devices
        Of them on each machine.
    backend
        Of torch's process groups, ``gloo`` or ``nccl``.
    timeout
        Seconds that a process waits for the others in the middle of a batch.
    threads
        Of torch in each process; None: those of the machine are divided among its processes.
    tasks
        Processes that are there already, this one among them; None: they are started when the first work is to be done.
    """

    def __init__(
        self,
        size: int = 1,
        devices: int = 1,
        backend: str = "gloo",
        timeout: float = 0,
        threads: int | None = None,
        tasks: Tasks | None = None,
    ):
        self.size = size
        self.devices = devices
        self.backend = backend
        self.timeout = timeout
        self.threads = threads
        self.tasks = tasks
        self.connections: dict[int, Connection] = {}
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def follows(self) -> bool:
        """Whether this process waits for another one's orders."""
        return self.tasks is not None and self.tasks.rank > 0

    def run(self, work: Callable[..., Any], *shared: Any, together: bool = True, **own: Any) -> Any:
        """Do a work in all processes, and return what it gives in this one.

        Parameters
        ----------
        work
            Called with the process's `Place` and what is shared. A function that other processes can import.
        shared
            Arguments, which travel to the other processes.
        together
            The processes talk with each other in the meantime (a process group of torch).
        own
            Further arguments in this process alone.

        Raises
        ------
        UserError
            If a process could not be started, or has ended in the middle of the work, or made the mistake that it
            reports.
        """
        if self.size == 1:
            return work(ALONE, *shared, **own)
        try:
            if not self.connections:
                self.gather()
            return self.lead(work, shared, together, own)
        except BaseException as error:
            reported = None if isinstance(error, UserError) else self.why(error)
            self.dismiss(kill=True)
            if reported is not None:
                raise reported from error
            raise

    def lead(self, work: Callable[..., Any], shared: tuple[Any, ...], together: bool, own: Mapping[str, Any]) -> Any:
        """Send the order, do the own share, and wait for the others."""
        from torch.distributed import TCPStore

        host = "127.0.0.1" if self.size == self.devices else socket.getfqdn()
        store = None
        if together:
            store = TCPStore(host, 0, self.size, True, timedelta(seconds=self.timeout), wait_for_workers=False)
        port = store.port if store is not None else None
        order = pickled(
            Order(work, shared, self.size, self.devices, host, port, self.backend, self.timeout, self.threads)
        )
        for connection in self.connections.values():
            connection.send_bytes(order)
        place = Place(0, self.size)
        with divided_threads(self.threads, self.devices), process_group(place, store, self.backend, self.timeout):
            result = work(place, *shared, **own)
            self.await_all()
        return result

    def await_all(self) -> None:
        """Wait until all others have done their shares; what they do takes its time, and their end is noticed."""
        missing = {connection: rank for rank, connection in self.connections.items()}
        while missing:
            for connection in wait(list(missing)):
                rank = missing.pop(connection)  # type: ignore[call-overload]
                report = self.report_of(rank)
                if report is None or not report.done:
                    raise failure(report, rank, self.size, self.ended(rank))

    def report_of(self, rank: int) -> Report | None:
        """What a process says of its work; None if it has ended without a word."""
        try:
            report: Report = self.connections[rank].recv()
        except (EOFError, OSError):
            return None
        return report

    def why(self, error: BaseException) -> UserError | RuntimeError | None:
        """What has befallen another process, where this one's error is only that it is left alone."""
        if not isinstance(error, RuntimeError):  # as gloo and NCCL say it; all else is an error of this process's own
            return None
        reports: dict[int, Report | None] = {}
        ends = time.monotonic() + LEAVING
        while time.monotonic() < ends and len(reports) < len(self.connections):
            waiting = {c: rank for rank, c in self.connections.items() if rank not in reports}
            for connection in wait(list(waiting), timeout=1):
                rank = waiting[connection]  # type: ignore[index]
                reports[rank] = self.report_of(rank)
            if None in reports.values():  # it has ended; the others are only left alone, too
                break
        told = {rank: report for rank, report in reports.items() if report is None or not report.done}
        told = dict(sorted(told.items(), key=lambda item: 0 if item[1] is None else 1 if item[1].mistake else 2))
        for rank, report in told.items():
            if report is None or report.mistake or not report.left_alone:
                return failure(report, rank, self.size, self.ended(rank))
        return None

    def ended(self, rank: int) -> str:
        """How a process that was started here has ended."""
        process = self.processes.get(rank)
        if process is None:
            return ""
        try:
            status = process.wait(1)
        except subprocess.TimeoutExpired:
            return ""
        return f" (signal {-status})" if status < 0 else f" (status {status})"

    def gather(self) -> None:
        """Start the other processes, or wait until those come that are there already."""
        own = self.size == self.devices
        listener = Listener(("127.0.0.1" if own else "", 0), authkey=(key := secrets.token_bytes(32)))
        address = Address("127.0.0.1" if own else socket.getfqdn(), listener.address[1], key.hex())
        came: SimpleQueue[Connection] = SimpleQueue()
        Thread(target=accept, args=(listener, self.size - 1, came), daemon=True).start()
        try:
            if self.tasks is None:
                self.processes = {rank: start(address, rank) for rank in range(1, self.size)}
            else:
                self.tasks.invite(address)
            self.connections = self.arrivals(came)
        finally:
            listener.close()
            if self.tasks is not None:
                self.tasks.withdraw()

    def arrivals(self, came: "SimpleQueue[Connection]") -> dict[int, Connection]:
        """Connections of the other processes, by their ranks."""
        ends = time.monotonic() + JOINING
        found: dict[int, Connection] = {}
        while len(found) < self.size - 1:
            try:
                connection = came.get(timeout=0.5)
                found[connection.recv()] = connection
            except Empty:
                gone = [rank for rank, process in self.processes.items() if process.poll() is not None]
                if gone or time.monotonic() > ends:
                    missing = gone or [rank for rank in range(1, self.size) if rank not in found]
                    hint = (
                        "Start the command by srun, or by hydra/launcher=submitit_slurm."
                        if self.tasks
                        else ("Start the same command again, or set how/trainer=single.")
                    )
                    raise UserError(
                        f"how.trainer: process {missing[0]} of {self.size} has not come{self.ended(missing[0])}. {hint}"
                    ) from None
        return dict(sorted(found.items()))

    def follow(self) -> None:
        """Do what the leading process orders, until the run is made or that process ends."""
        assert self.tasks is not None
        address = self.tasks.invitation(JOINING)
        serve(address, self.tasks.rank)

    def dismiss(self, kill: bool = False) -> None:
        """Let the others go; those that were started here are gone then, whatever they were doing."""
        for connection in self.connections.values():
            try:
                if not kill:
                    connection.send_bytes(END)
                connection.close()
            except OSError:  # it has ended
                pass
        self.connections = {}
        for process in self.processes.values():
            try:
                process.wait(0 if kill else LEAVING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = {}


@contextmanager
def assembled(how: Mapping[str, Any]) -> Iterator[Crew]:
    """The processes that ``how.trainer`` asks for, dismissed at the end; inside of a run those that it has already.

    Where one is asked for, it is alone.

    Raises
    ------
    UserError
        If they do not fit the processes that were started beside this one.
    """
    global standing
    if processes(how) == 1:
        yield Crew()
        return
    if standing is not None:
        yield standing
        return
    standing = crew_of(how)
    try:
        if standing.tasks is not None and not standing.follows:
            standing.gather()  # even if there is nothing to do, which nobody else knows
        yield standing
    finally:
        crew, standing = standing, None
        crew.dismiss()


standing: Crew | None = None
"""The crew of the run that this process makes."""


def processes(how: Mapping[str, Any]) -> int:
    """How many a config's executing half asks for; callers from Python that name no trainer work alone."""
    trainer = how.get("trainer")
    return 1 if trainer is None else trainer["devices"] * trainer["nodes"]


def crew_of(how: Mapping[str, Any]) -> Crew:
    """The crew of a config's executing half, which asks for several processes.

    Raises
    ------
    UserError
        If there are other tasks, machines or devices than it asks for.
    """
    trainer, size = how["trainer"], processes(how)
    tasks = tasks_here(Path(how["paths"]["runs"])) if "paths" in how else None
    if tasks is not None and tasks.size != size:
        raise UserError(
            f"how.trainer: devices={trainer['devices']} on nodes={trainer['nodes']} are {size} processes, and "
            f"{tasks.size} tasks were started. Start as many: hydra.launcher.tasks_per_node, hydra.launcher.nodes."
        )
    if tasks is None and trainer["nodes"] > 1:
        raise UserError(
            f"how.trainer.nodes={trainer['nodes']}: processes on other machines are started by Slurm. Use srun or "
            "hydra/launcher=submitit_slurm with as many nodes, and how.trainer.devices tasks on each."
        )
    backend = trainer["backend"] or backend_of(how, trainer["devices"])
    return Crew(size, trainer["devices"], backend, float(trainer["timeout"]), how["threads"], tasks)


def backend_of(how: Mapping[str, Any], devices: int) -> str:
    """``nccl`` on GPUs, of which there must be enough; ``gloo`` on CPUs.

    Raises
    ------
    UserError
        If there are not as many devices.
    """
    import torch

    choice = how["accelerator"]
    if choice == "mps" or (choice == "auto" and torch.backends.mps.is_available()):
        raise UserError(f"how.accelerator={choice}: Apple's GPU is one device. Set how/trainer=single, or cpu.")
    if choice == "cpu" or not torch.cuda.is_available():
        return "gloo"
    if torch.cuda.device_count() < devices:
        raise UserError(
            f"how.trainer.devices={devices}: this machine has {torch.cuda.device_count()} GPUs. Set as many, or "
            "how.accelerator=cpu."
        )
    return "nccl"


def accept(listener: Listener, count: int, came: "SimpleQueue[Connection]") -> None:
    """Take connections that know the key, until so many have come or the listener is closed."""
    while count:
        try:
            came.put(listener.accept())
            count -= 1
        except (AuthenticationError, EOFError):  # of somebody else
            continue
        except OSError:
            return


def start(address: Address, rank: int) -> "subprocess.Popen[bytes]":
    """Start a process that follows; it writes nothing on stdout, which carries the run's folder."""
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, ADDRESS: address.written(), "PYTHONPATH": paths, "TORCH_CPP_LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", "micrographia.devices", str(rank)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def pickled(order: Order) -> bytes:
    """An order as bytes.

    Raises
    ------
    UserError
        If a part of it cannot travel.
    """
    try:
        return pickle.dumps(order)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UserError(
            f"how.trainer: what is to be done cannot be sent to another process ({error}). Set how/trainer=single."
        ) from error


def failure(report: Report | None, rank: int, size: int, ended: str) -> UserError | RuntimeError:
    """What to raise when a process has failed."""
    if report is None:
        return UserError(
            f"how.trainer: process {rank} of {size} has ended in the middle of its work{ended}. What is finished is "
            "kept: start the same command again."
        )
    if report.mistake:
        return UserError(report.message)
    return RuntimeError(f"process {rank} of {size} has failed:\n{report.message}")
