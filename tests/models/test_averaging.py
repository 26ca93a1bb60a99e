import pytest
import torch
from torch import nn

from micrographia.models.averaging import update_average


def test_the_average_has_its_half_life_in_images():
    average, learner = nn.Linear(2, 2), nn.Linear(2, 2)
    with torch.no_grad():
        for ours, theirs in zip(average.parameters(), learner.parameters(), strict=True):
            ours.fill_(0)
            theirs.fill_(1)
    for expected in (0.5, 0.75):
        update_average(average, learner, count=20, seen=10**6, kimg=0.02)  # past the ramp
        assert all((weights == pytest.approx(expected)) for weights in average.weight.flatten().tolist())
    update_average(average, learner, count=20, seen=0, kimg=0.02)  # at the beginning the average follows at once
    assert torch.equal(average.weight, learner.weight)
    average.weight.data.fill_(0)
    update_average(average, learner, count=20, seen=10**6, kimg=0)
    assert torch.equal(average.weight, learner.weight)
