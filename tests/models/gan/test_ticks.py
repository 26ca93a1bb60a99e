"""The clock of a training, by a clock that the test sets."""

import logging

import pytest
import torch

from micrographia.models.gan.ticks import Ticks


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved on."""

    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr("micrographia.models.gan.ticks.time.perf_counter", clock)
    return clock


def test_the_seconds_of_a_tick_are_those_of_training_alone(clock, caplog):
    caplog.set_level(logging.INFO)
    ticks = Ticks(1.0)
    ticks.note(0, torch.tensor(0.0))
    for images, training, elsewhere in ((500, 10, 300), (1000, 10, 40), (1500, 5, 0), (2000, 5, 0)):
        clock.now += training
        parts = ticks.note(images, torch.tensor(0.0))
        ticks.stop()
        clock.now += elsewhere
        ticks.go_on()
        expected = {1000: 20.0, 2000: 10.0}.get(images)
        if expected is not None:
            assert parts["seconds_per_kimg"].item() == pytest.approx(expected)
    assert [record.getMessage().split("  ")[2] for record in caplog.records] == ["s/kimg 20.0", "s/kimg 10.0"]
