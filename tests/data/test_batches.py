import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from micrographia.data.batches import BalancedOrder, epoch_batch


@given(codes=st.lists(st.integers(0, 5), min_size=1, max_size=60), seed=st.integers(0, 99), epoch=st.integers(0, 5))
def test_classes_are_even_and_members_are_taken_evenly(codes, seed, epoch):
    codes = torch.tensor(codes)
    order = BalancedOrder(codes)(seed, epoch)
    assert len(order) == len(codes)
    of_class = codes[order].bincount()[codes.unique()]
    assert of_class.max() - of_class.min() <= 1
    for code in codes.unique():
        times = order.bincount(minlength=len(codes))[codes == code]
        assert times.max() - times.min() <= 1


def test_epochs_differ_and_cover_a_large_class_in_turn():
    codes = torch.tensor([0] * 90 + [1] * 10)
    order = BalancedOrder(codes)
    assert torch.equal(order(3, 0), BalancedOrder(codes)(3, 0))
    assert not torch.equal(order(3, 0), order(3, 1))
    assert not torch.equal(order(3, 0), order(4, 0))
    seen = torch.cat([order(0, epoch) for epoch in range(12)]).unique()
    assert len(seen) == 100
    again = pickle.loads(pickle.dumps(order))
    assert torch.equal(again(7, 7), order(7, 7))


@pytest.mark.parametrize("balanced", [False, True])
def test_the_batches_of_an_epoch_are_its_order(balanced):
    codes = torch.tensor([0, 1, 1, 1, 2, 2, 2, 2, 2])
    order = BalancedOrder(codes) if balanced else None
    batches = [epoch_batch(9, 4, 5, step, order) for step in (3, 4, 5)]
    assert [len(batch) for batch in batches] == [4, 4, 4]
    whole = torch.cat(batches)
    assert torch.equal(whole[9:], whole[:3])  # the last one is filled from the beginning
    if balanced:
        assert codes[whole[:9]].bincount().tolist() == [3, 3, 3]
    else:
        assert whole[:9].sort().values.tolist() == list(range(9))
