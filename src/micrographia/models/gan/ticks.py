"""The clock of a long GAN training: thousands of images, seconds for each, and a line on the console now and then."""

import logging
import time

import torch
from torch import Tensor

log = logging.getLogger(__name__)


class Ticks:
    """Counts ticks of so many thousand images, and times them.

    Parameters
    ----------
    kimg
        Thousands of images in a tick.
    """

    def __init__(self, kimg: float):
        self.kimg = kimg
        self.since: tuple[int, float] | None = None  # images and time at the beginning of the tick
        self.elsewhere = 0.0  # seconds of the tick that were no training
        self.speed: dict[str, Tensor] = {}

    def stop(self) -> None:
        """Stop the clock for what is no training: a sheet, a distance, a validation."""
        self.stopped = time.perf_counter()

    def go_on(self) -> None:
        """Let the clock go on."""
        self.elsewhere += time.perf_counter() - self.stopped

    def note(self, images: int, augment: Tensor) -> dict[str, Tensor]:
        """Take note of the images seen after a batch; a full tick prints a line.

        Returns
        -------
        dict
            For a module's `parts`: ``tick``, ``kimg`` and, from the first full tick on, its ``seconds_per_kimg``.
        """
        now = time.perf_counter()
        tick = self.tick_of(images)
        if self.since is None:  # the first batch of this process starts the clock
            self.since, self.elsewhere = (images, now), 0.0
        elif tick > self.tick_of(self.since[0]):
            before, then = self.since
            seconds = (now - then - self.elsewhere) / (images - before) * 1000
            self.since, self.elsewhere = (images, now), 0.0
            self.speed = {"seconds_per_kimg": torch.tensor(seconds)}
            log.info("tick %d  kimg %.1f  s/kimg %.1f  augment %.3f", tick, images / 1000, seconds, float(augment))
        return {"tick": torch.tensor(float(tick)), "kimg": torch.tensor(images / 1000), **self.speed}

    def tick_of(self, images: int) -> int:
        """Full ticks in so many images."""
        return int(images / (self.kimg * 1000))
