"""What a call leaves as it was in the process that it is made in: a notebook's kernel, a script, a test."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_as_it_was() -> Iterator[None]:
    """Keep Hydra, which knows one configuration at a time, and what it does to logging, to this block.

    A caller that works with Hydra as well finds it as it was, and its log messages go where they went.
    """
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    outer, config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = outer
        HydraConfig.instance().cfg = config
        root.handlers[:] = handlers
        root.setLevel(level)
