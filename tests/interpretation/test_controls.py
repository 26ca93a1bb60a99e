import pandas as pd
import pytest
import torch

from micrographia.data.datamodule import IndexedImages
from micrographia.errors import UserError
from micrographia.interpretation.controls import controls_of


class Wells(IndexedImages):
    """A table without images."""

    def __init__(self, **columns):
        super().__init__()
        self.name = "plate"
        self.rows = pd.DataFrame(columns)

    def indices(self, part):
        return torch.arange(len(self.rows)) if part == "test" else torch.arange(0)

    def table(self, indices):
        return self.rows.iloc[indices.numpy()]


CONTRAST = {"contrast": {"column": "dose", "negative": 0, "positive": 10, "well": "well"}}


@pytest.mark.parametrize("column", ["dose", "well"])
def test_a_row_without_its_well_or_condition_is_answered(column):
    columns = {"dose": [0.0, 0.0, 10.0, 10.0], "well": ["A1", "A2", "B1", "B2"]}
    assert controls_of(Wells(**columns), CONTRAST).well == "well"
    columns[column][1] = None
    with pytest.raises(UserError, match=f"contrast: 1 rows of the table of plate have no {column}"):
        controls_of(Wells(**columns), CONTRAST)
