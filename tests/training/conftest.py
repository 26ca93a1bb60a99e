import pandas as pd
import pytest
import torch

from micrographia.data.datamodule import IndexedImages


class Squares(IndexedImages):
    """64 images of 16 px: a square of two sizes at 8 x 4 positions, with classes, factors and pairs."""

    name = "squares"
    shape = (1, 16, 16)
    classes = ("large", "small")
    factors = {"size": 2, "x": 8, "y": 4}  # noqa: RUF012

    def factor_values(self, indices):
        return torch.stack([indices // 32, indices // 4 % 8, indices % 4], 1)

    def index_of(self, values):
        return (values * torch.tensor([32, 4, 1])).sum(1)

    def images(self, indices):
        canvas = torch.zeros(len(indices), 1, 16, 16, dtype=torch.uint8)
        for row, (size, x, y) in enumerate(self.factor_values(indices).tolist()):
            side = 6 - 3 * size
            canvas[row, 0, 2 * y : 2 * y + side, x : x + side] = 255
        return canvas

    def indices(self, part):
        everything = torch.arange(64)
        return everything[{"train": everything % 4 >= 2, "val": everything % 4 == 0, "test": everything % 4 == 1}[part]]

    def table(self, indices):
        values = pd.DataFrame(self.factor_values(indices).numpy(), columns=list(self.factors))
        return values.assign(**{"class": [self.classes[size] for size in values["size"]]})


@pytest.fixture
def squares():
    return Squares()
