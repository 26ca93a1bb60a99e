import multiprocessing
import shutil
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest
import torch

from micrographia.data.datamodule import IndexedImages
from micrographia.data.feature_store import FeatureStore
from micrographia.data.features import BLOCK, FeatureData
from micrographia.data.synthetic.cells import SyntheticCells
from micrographia.errors import UserError


class Squares(IndexedImages):
    """Images of one grey level each, that of their index."""

    def __init__(self, count=100, factors=None, offset=0):
        super().__init__()
        self.name = "squares"
        self.shape = (3, 4, 4)
        self.classes = ("dark", "bright")
        self.factors = factors or {}
        self.count = count
        self.offset = offset

    def __len__(self):
        return self.count

    def images(self, indices):
        return ((indices + self.offset) % 256).to(torch.uint8)[:, None, None, None].expand(-1, *self.shape).contiguous()

    def indices(self, part):
        bounds = {"train": (0, 60), "val": (60, 80), "test": (80, 100)}[part]
        return torch.arange(*bounds)

    def table(self, indices):
        return pd.DataFrame({"class": [self.classes[int(index >= 50)] for index in indices]})

    def draw_pairs(self, count, changed, generator):
        first = torch.randint(self.count, (count,), generator=generator)
        return first, (first + 1) % self.count, torch.ones(count, 1, dtype=torch.bool)

    def describe(self):
        return "one hundred squares"


class Counting:
    """A backbone that counts its calls and images, and fails after so many."""

    name = "counting"
    size = 4
    features = 2

    def __init__(self, identity="counting-1", fail_after=None):
        self.identity = identity
        self.fail_after = fail_after
        self.calls = 0
        self.sizes = set()

    def to(self, device):
        return self

    def __call__(self, images):
        if self.calls == self.fail_after:
            raise KeyboardInterrupt
        self.calls += 1
        self.sizes.add(len(images))
        levels = images.mean((1, 2, 3)) * 255
        return torch.stack([levels, -levels], 1)


def expected(indices):
    return torch.stack([indices.float(), -indices.float()], 1)


def features(tmp_path, backbone=None, inner=None, identity="squares", **options):
    return FeatureData(inner or Squares(), backbone or Counting(), tmp_path, identity, batch_size=4, **options)


def test_item_is_the_feature_of_its_image_in_any_order(tmp_path):
    data = features(tmp_path)
    order = torch.tensor([17, 3, 99, 3, 42])
    torch.testing.assert_close(data.images(order), expected(order))
    assert data.shape == (2,)
    assert torch.equal(data.images(order.flip(0)), data.images(order).flip(0))


def test_second_reading_asks_the_backbone_nothing(tmp_path):
    first, second = Counting(), Counting()
    everything = torch.arange(100)
    features(tmp_path, first).images(everything)
    torch.testing.assert_close(features(tmp_path, second).images(everything), expected(everything))
    assert first.calls == 25
    assert second.calls == 0


def test_only_missing_items_are_computed(tmp_path):
    backbone = Counting()
    data = features(tmp_path, backbone)
    data.images(torch.tensor([5, 1, 5, 9]))
    assert backbone.calls == 1
    data.images(torch.arange(11))  # eight are missing
    assert backbone.calls == 3


def test_every_batch_has_the_same_size(tmp_path):
    backbone = Counting()
    features(tmp_path, backbone).images(torch.arange(5))
    assert backbone.sizes == {4}


@pytest.mark.parametrize("changed", ["data", "backbone"])
def test_changed_content_is_computed_anew(tmp_path, changed):
    features(tmp_path).images(torch.arange(10))
    if changed == "data":
        data = features(tmp_path, inner=Squares(offset=100), identity="other squares")
        torch.testing.assert_close(data.images(torch.arange(10)), expected(torch.arange(100, 110)))
    else:
        backbone = Counting("counting-2")
        features(tmp_path, backbone).images(torch.arange(10))
        assert backbone.calls == 3


def test_interrupted_computation_goes_on_where_it_stopped(tmp_path):
    stopping = Counting(fail_after=BLOCK + 1)
    with pytest.raises(KeyboardInterrupt):
        features(tmp_path, stopping).compute(torch.arange(100))
    rest = Counting()
    data = features(tmp_path, rest)
    torch.testing.assert_close(data.images(torch.arange(100)), expected(torch.arange(100)))
    assert rest.calls == 25 - BLOCK  # the finished block is kept, the unfinished one begun anew


def test_rows_without_marks_do_not_count(tmp_path):
    data = features(tmp_path)
    data.images(torch.arange(100))
    (data.folder / "features.npy").write_bytes(b"damaged")
    backbone = Counting()
    torch.testing.assert_close(features(tmp_path, backbone).images(torch.arange(8)), expected(torch.arange(8)))
    assert backbone.calls == 2


def read_in_process(folder, queue):
    backbone = Counting()
    found = features(folder, backbone).images(torch.arange(100))
    queue.put((backbone.calls, torch.allclose(found, expected(torch.arange(100)))))


def test_two_processes_compute_every_item_once(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    torch.set_num_threads(1)
    processes = [context.Process(target=read_in_process, args=(tmp_path, queue)) for _ in range(2)]
    for process in processes:
        process.start()
    answers = [queue.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    assert sum(calls for calls, _ in answers) == 25
    assert all(right for _, right in answers)


def test_fit_computes_what_training_and_validation_need(tmp_path):
    backbone = Counting()
    data = features(tmp_path, backbone).fit(0, 8, 100, interval=10, labelled=True)
    assert backbone.calls == 20  # train and val, 80 items; the test part is left alone
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (8, 2)
    assert torch.equal(batch["target"], (batch["image"][:, 0].round() >= 50).long())
    batch = data.on_after_batch_transfer(batch, 0)
    assert batch["image"].max() > 1  # features are not taken for 8-bit images
    list(data.val_dataloader())
    assert backbone.calls == 20


def test_fit_computes_the_whole_grid_where_pairs_are_drawn_from_it(tmp_path):
    backbone = Counting()
    data = features(tmp_path, backbone, Squares(factors={"level": 100}))
    data.fit(0, 8, 100, interval=10, changed_factors=1)
    assert backbone.calls == 25
    batch = next(iter(data.train_dataloader()))
    difference = (batch["partner"] - batch["image"])[:, 0].round()
    assert set(difference.tolist()) <= {1.0, -99.0}


def test_fit_leaves_a_short_training_to_compute_as_it_draws(tmp_path):
    backbone = Counting()
    data = features(tmp_path, backbone).fit(0, 4, 2, interval=2)
    assert backbone.calls == 0
    list(data.train_dataloader())
    assert backbone.calls == 2


def test_everything_else_is_the_inner_data(tmp_path):
    data = features(tmp_path)
    assert data.classes == ("dark", "bright")
    assert torch.equal(data.indices("val"), torch.arange(60, 80))
    assert torch.equal(data.targets(torch.tensor([49, 50])), torch.tensor([0, 1]))
    assert data.steps_per_epoch(7) == Squares().steps_per_epoch(7)
    assert torch.equal(data.draw_indices(6, 1, 2), Squares().draw_indices(6, 1, 2))
    with pytest.raises(AttributeError):
        data.no_such_thing  # noqa: B018


def test_progress_runs_to_the_end(tmp_path):
    seen = []
    data = features(tmp_path, progress=lambda done, total: seen.append((done, total)))
    list(data.chunks(torch.arange(10), size=3))
    assert seen == [(0, 10), (4, 10), (8, 10), (10, 10)]


def test_hundred_thousand_rows_take_no_memory_and_no_disk_until_written(tmp_path):
    store = FeatureStore(tmp_path / "store", 100_000, 1280, {})
    rows = np.array([3, 4, 99_999])
    values = np.arange(3 * 1280, dtype=np.float32).reshape(3, 1280)
    store.write(rows, values)
    assert np.array_equal(store.features[rows], values)
    assert store.missing(torch.tensor([2, 3, 99_999])).tolist() == [2]
    assert isinstance(store.features, np.memmap)


def test_too_small_a_disk_is_refused_before_anything_is_computed(tmp_path, monkeypatch):
    backbone = Counting()
    data = features(tmp_path, backbone)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1000, 900, 100))
    with pytest.raises(UserError, match=r"how\.paths\.cache: features of 100 images"):
        data.compute(torch.arange(100))
    assert backbone.calls == 0


def test_disk_that_fills_up_is_a_user_error_and_keeps_what_is_written(tmp_path, monkeypatch):
    import os

    written = features(tmp_path)
    written.compute(torch.arange(8))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(UserError, match="No space left on device"):
            written.compute(torch.arange(16))
    backbone = Counting()
    torch.testing.assert_close(features(tmp_path, backbone).images(torch.arange(16)), expected(torch.arange(16)))
    assert backbone.calls == 2


def test_features_that_are_not_finite_are_refused(tmp_path):
    class Broken(Counting):
        def __call__(self, images):
            return super().__call__(images) / 0

    with pytest.raises(UserError, match="not finite"):
        features(tmp_path, Broken()).images(torch.arange(4))


def test_rendered_specimens_have_features_too(tmp_path):
    cells = SyntheticCells("cells", size=16, count=120)
    backbone = Counting()
    data = FeatureData(cells, backbone, tmp_path, "cells", batch_size=8)
    assert data.intervenable
    drawn = data.draw_factors(19, np.random.default_rng(0))
    assert drawn.equals(cells.draw_factors(19, np.random.default_rng(0)))
    found = data.of_factors(drawn)
    levels = cells.of_factors(drawn).float().mean((1, 2, 3))
    assert torch.allclose(found, torch.stack([levels, -levels], 1), atol=1e-3)
    assert backbone.sizes == {8}  # whole batches, as everywhere


def test_what_cannot_be_rendered_says_so(tmp_path):
    assert not FeatureData(Squares(), Counting(), tmp_path, "squares").intervenable
