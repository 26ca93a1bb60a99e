"""Every row of a batch is one process's, with the random numbers that it has in one process alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from micrographia.devices.batch_norm import WholeBatchNorm2d, whole_batch_statistics
from micrographia.devices.shares import ALONE, BatchGenerator, Place, drawn, smaller_batch

sizes = st.integers(1, 5)


def drawn_by(share, draw, shape, dim=0):
    generator = BatchGenerator().manual_seed(3)
    generator.share = share
    return drawn(draw, shape, generator, dim)


@given(total=st.integers(0, 40), size=sizes, groups=st.integers(1, 4))
def test_each_row_is_of_one_process_and_none_has_many_more_than_another(total, size, groups):
    shares = [Place(rank, size).share(total, groups) for rank in range(size)]
    assert torch.cat([share.rows for share in shares]).sort().values.tolist() == list(range(total))
    counts = [len(share.rows) for share in shares]
    assert max(counts) - min(counts) <= 1


def test_groups_stay_together():
    """Rows i, i + 4, i + 8 are compared with each other."""
    assert Place(1, 2).share(12, groups=3).rows.tolist() == [2, 3, 6, 7, 10, 11]


@given(each=st.integers(1, 5), size=sizes, times=st.integers(1, 3), groups=st.integers(1, 2))
def test_numbers_of_a_row_do_not_depend_on_how_many_share_the_batch(each, size, times, groups):
    total = each * size * groups
    whole = torch.randn(2, times * total, 3, generator=torch.Generator().manual_seed(3)).view(2, times, total, 3)
    for rank in range(size):
        share = Place(rank, size).share(total, groups)
        own = drawn_by(share, torch.randn, (2, times * each * groups, 3), dim=1)
        assert torch.equal(own.view(2, times, -1, 3), whole[:, :, share.rows])


def test_a_part_of_a_batch_is_divided_too():
    """Path lengths are measured on half a batch."""
    halves = []
    for rank in range(2):
        generator = BatchGenerator().manual_seed(3)
        generator.share = share = Place(rank, 2).share(8, groups=4)
        with smaller_batch(generator, 2):
            halves.append(drawn(torch.rand, (2,), generator))
        assert generator.share is share
    assert torch.equal(torch.cat(halves), torch.rand(4, generator=torch.Generator().manual_seed(3)))


def test_alone_nothing_changes():
    assert torch.equal(
        drawn(torch.rand, (3, 2), torch.Generator().manual_seed(3)),
        torch.rand(3, 2, generator=torch.Generator().manual_seed(3)),
    )
    assert ALONE.share(5).rows.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("training", [True, False])
def test_batch_norms_are_as_before_when_the_training_ends(training):
    model = torch.nn.Sequential(torch.nn.BatchNorm2d(2)).train(training)
    with whole_batch_statistics(model):
        assert type(model[0]) is WholeBatchNorm2d
    assert type(model[0]) is torch.nn.BatchNorm2d
