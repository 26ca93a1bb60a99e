"""Keep large blocks of memory between training steps instead of returning them to the system."""

import ctypes

# Parameters of mallopt(3).
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_MMAP_MAX = -4

LARGEST = 2**31 - 1
LARGEST_MMAP_THRESHOLD = 32 * 2**20
"""glibc refuses more."""


def keep_large_allocations() -> bool:
    """Tell glibc to keep freed memory: call once at start-up, before the first large tensor.

    By default glibc maps large tensors afresh and gives them back when freed, so that every training step on a CPU pays
    for the page faults of its activations again. Afterwards blocks of any size come from the heap and stay there: the
    process keeps the memory of its peak until it ends.

    Returns
    -------
    bool
        Whether it took effect: False, and nothing is done, where the C library is not glibc (macOS, Windows, musl).
    """
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  (musl has a mallopt that does nothing, but not this)
        mallopt = library.mallopt
    except (OSError, TypeError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    settings = {M_TRIM_THRESHOLD: LARGEST, M_MMAP_THRESHOLD: LARGEST_MMAP_THRESHOLD, M_MMAP_MAX: 0}
    accepted = [mallopt(parameter, value) == 1 for parameter, value in settings.items()]
    return all(accepted)
