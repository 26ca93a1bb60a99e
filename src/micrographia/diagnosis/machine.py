"""The machine as this process may use it: CPU cores, threads and memory."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from micrographia.diagnosis.finding import Finding, size

CGROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")
MEMORY = Path("/proc/meminfo")
LITTLE_MEMORY = 4 * 2**30  # bytes below which trainings of the default size may be killed
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def machine_findings() -> list[Finding]:
    """CPU cores and memory."""
    return [core_finding(), memory_finding()]


def cores() -> int:
    """CPU cores that this process may use: what its affinity and its control groups leave of the machine's."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for folder in control_groups():
        quota, period = [*limit(folder / "cpu.max").split(), "", ""][:2]
        if quota.isdigit() and period.isdigit():
            own = min(own, max(1, int(quota) // int(period)))
    return own


def control_groups() -> list[Path]:
    """Folders of this process's control groups (version 2), from its own up to the root; on Linux alone."""
    try:
        line = next(line for line in OWN_GROUP.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return []
    own = CGROUPS / line.removeprefix("0::").strip().lstrip("/")
    folders = [own, *own.parents]
    return [folder for folder in folders if folder == CGROUPS or CGROUPS in folder.parents]


def limit(file: Path) -> str:
    """Content of a control group's file; empty where there is none."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def core_finding() -> Finding:
    """CPU cores of this process and of the machine."""
    own, whole = cores(), os.cpu_count() or 1
    value = f"{own} for this process" + (f" of the machine's {whole}" if own != whole else "")
    return Finding("machine", "CPU cores", value)


def memory() -> tuple[int | None, int | None]:
    """Bytes of memory that this process may have in all, and that are free; None where nobody knows."""
    total = free = None
    try:
        rows = dict(line.split(":", 1) for line in MEMORY.read_text().splitlines())
        total, free = (int(rows[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        if "SC_PHYS_PAGES" in os.sysconf_names:
            total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for folder in control_groups():
        most, used = limit(folder / "memory.max"), limit(folder / "memory.current")
        if most.isdigit():
            total = min(total or int(most), int(most))
            left = int(most) - int(used) if used.isdigit() else int(most)
            free = left if free is None else min(free, left)
    return total, free


def memory_finding() -> Finding:
    """Memory of this process, and whether it is little."""
    total, free = memory()
    if total is None:
        return Finding("machine", "memory", "unknown", "note")
    value = f"{size(total)} for this process" + (f", {size(max(free, 0))} free" if free is not None else "")
    if free is not None and free < LITTLE_MEMORY:
        advice = "Little memory is free: a process may be killed. Take smaller images (data.size=64) or batches."
        return Finding("machine", "memory", value, "warning", advice)
    return Finding("machine", "memory", value)


def thread_findings(how: Mapping[str, Any], torch_threads: int | None) -> Iterator[Finding]:
    """Settings of threads, and what ``how.threads`` will do.

    Parameters
    ----------
    how
        Execution, as commands have it here.
    torch_threads
        Threads that torch takes by itself; None where it cannot be asked.
    """
    given = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
    yield Finding("threads", "environment", ", ".join(given) or "none of OMP_NUM_THREADS, MKL_NUM_THREADS is set")
    own, chosen = cores(), how["threads"]
    taken = chosen or torch_threads
    if taken is None:
        return
    value = f"{chosen}: torch takes so many" if chosen else f"null: torch takes {taken}, its own choice"
    if taken > own:
        advice = f"More threads than cores are slow: how.threads={own}, or export OMP_NUM_THREADS={own}."
        yield Finding("threads", "how.threads", f"{value}, for {own} cores", "warning", advice)
    elif taken < own:
        yield Finding("threads", "how.threads", f"{value}, of {own} cores (how.threads={own} takes all)", "note")
    else:
        yield Finding("threads", "how.threads", value)


def shared_memory_finding(workers: int) -> Finding | None:
    """Space in shared memory, through which loader processes pass batches; None where the system has no such limit."""
    place = Path("/dev/shm")
    if sys.platform != "linux" or not place.is_dir():
        return None
    status = os.statvfs(place)
    free = status.f_bavail * status.f_frsize
    value = f"{size(free)} free in {place}"
    if free < 2**30 and workers:
        advice = "Loader processes pass batches there: how.workers=0, or docker run --shm-size=2g."
        return Finding("storage", "shared memory", f"{value}, for how.workers={workers}", "warning", advice)
    if free < 2**30:
        return Finding("storage", "shared memory", f"{value}: little, if loader processes are wanted", "note")
    return Finding("storage", "shared memory", value)
