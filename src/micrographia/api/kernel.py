"""What a call leaves as it was in the process that it is made in: a notebook's kernel, a script, a test."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_as_it_was() -> Iterator[None]:
    """Keep to this block what is done to Hydra, which knows one configuration at a time, to logging and to Ctrl-C.

    A caller that works with Hydra as well finds it as it was, and its log messages go where they went. Lightning hears
    no Ctrl-C any more after one, so that a second call could not be interrupted.
    """
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    interrupt = signal.getsignal(signal.SIGINT)
    outer, config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = outer
        HydraConfig.instance().cfg = config
        root.handlers[:] = handlers
        root.setLevel(level)
        if threading.current_thread() is threading.main_thread():  # others may not
            signal.signal(signal.SIGINT, interrupt)
