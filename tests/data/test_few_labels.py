import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.data.datamodule import PARTS, IndexedImages
from micrographia.data.few_labels import FewLabels
from micrographia.data.synthetic.cells import SyntheticCells
from micrographia.errors import UserError


class Counted(IndexedImages):
    """A set with so many training images of each class, in random order."""

    def __init__(self, counts, order=0):
        super().__init__()
        self.name, self.shape = "counted", (1, 2, 2)
        self.classes = tuple(f"class {number}" for number in range(len(counts)))
        train = np.random.default_rng(order).permutation(np.repeat(np.arange(len(counts)), counts))
        others = np.repeat(np.arange(len(counts)), 3)
        self.codes = np.concatenate([train, others, others])
        self.of_part = np.repeat(PARTS, [len(train), len(others), len(others)])

    def indices(self, part):
        return torch.from_numpy(np.flatnonzero(self.of_part == part))

    def table(self, indices):
        return pd.DataFrame({"class": [self.classes[code] for code in self.codes[indices.numpy()]]})

    def images(self, indices):
        return indices[:, None, None, None].expand(-1, *self.shape)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=2, max_size=5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_each_class_has_so_many_and_fewer_are_some_of_more(counts, fewer, more, seed):
    fewer, more = sorted((fewer, more))
    data = Counted(counts, order=seed)
    few, many = (FewLabels(data, labels, seed) for labels in (fewer, more))
    for subset, labels in ((few, fewer), (many, more)):
        found = subset.targets(subset.indices("train")).bincount(minlength=len(counts)).tolist()
        assert found == [min(labels, count) for count in counts]
    assert torch.isin(few.indices("train"), many.indices("train")).all()
    assert torch.isin(many.indices("train"), data.indices("train")).all()
    assert torch.equal(few.indices("train"), few.indices("train").unique())
    for part in ("val", "test"):
        assert torch.equal(few.indices(part), data.indices(part))


def test_seeds_draw_others_and_a_seed_the_same():
    data = SyntheticCells("cells", count=600)
    drawn = [FewLabels(data, 3, seed).indices("train").tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) != set(drawn[2])


def test_a_class_draws_the_same_whatever_the_others_hold():
    drawn = []
    for other in (20, 4):
        data = Counted([20, other])
        own = np.flatnonzero(data.codes[data.indices("train")] == 0)
        few = FewLabels(data, 3, 0).indices("train").numpy()
        drawn.append(np.flatnonzero(np.isin(own, few)).tolist())
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 3


def test_validation_has_few_labels_where_weights_are_selected_by_it():
    data = Counted([9, 9])
    few = FewLabels(data, 2, 0, ("train", "val"))
    assert few.counts() == {"train": 4, "val": 4}
    assert few.labelled().groupby(["part", "class"]).size().eq(2).all()
    assert torch.equal(few.indices("test"), data.indices("test"))


def test_training_draws_nothing_else():
    data = SyntheticCells("cells", count=120)
    few = FewLabels(data, 2, 0)
    few.fit(0, 4, 5, interval=1, labelled=True)
    drawn = torch.cat([few.draw_indices(4, 0, step) for step in range(3)])
    assert torch.equal(drawn.unique(), few.indices("train"))
    assert few.record()["images"]["train"] == 2 * len(data.classes)


def test_classes_with_fewer_are_told(caplog):
    with caplog.at_level("INFO"):
        FewLabels(Counted([9, 2, 1]), 3, 0).report("labels")
    assert "labels=3: all training images of classes that have fewer: class 1 (2), class 2 (1)" in caplog.text
    caplog.clear()
    with caplog.at_level("INFO"):
        FewLabels(Counted([9, 3]), 3, 0).report("labels")
    assert not caplog.text


def test_no_label_and_no_class_are_refused():
    with pytest.raises(ValueError, match="labels=0"):
        FewLabels(Counted([9, 9]), 0, 0)
    unnamed = Counted([9, 9])
    unnamed.classes = ()
    with pytest.raises(UserError, match="has no classes"):
        FewLabels(unnamed, 1, 0).indices("train")
