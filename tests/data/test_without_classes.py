import pytest
import torch

from micrographia.data.datamodule import PARTS
from micrographia.data.synthetic.cells import SyntheticCells
from micrographia.data.without_classes import WithoutClasses


@pytest.fixture
def cells():
    return SyntheticCells("cells", count=120)


def test_other_classes_keep_their_indices(cells):
    name = cells.classes[1]
    data = WithoutClasses(cells, [name])
    assert name not in data.classes
    for part in PARTS:
        indices = data.indices(part)
        assert set(data.table(indices)["class"]) == set(cells.classes) - {name}
        there = cells.indices(part)
        assert torch.equal(indices, there[torch.from_numpy((cells.table(there)["class"] != name).to_numpy().copy())])
    assert torch.equal(data.images(indices[:2]), cells.images(indices[:2]))
    record = data.record()
    assert record["images"] == {part: len(data.indices(part)) for part in PARTS}
    assert name not in record["classes"]


@pytest.mark.parametrize("sampling", ["uniform", "balanced"])
def test_training_draws_from_what_is_left(cells, sampling):
    cells.sampling = sampling
    data = WithoutClasses(cells, cells.classes[:1])
    train = data.indices("train")
    size = len(train)
    drawn = torch.cat([data.draw_indices(8, 0, step) for step in range(-(-size // 8))])[:size]
    assert torch.isin(drawn, train).all()
    if sampling == "uniform":
        assert torch.equal(drawn.sort().values, train)
    else:
        counts = data.targets(drawn).bincount()
        assert counts.max() - counts.min() <= 1
