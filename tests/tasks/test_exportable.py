import numpy as np
import pytest
import torch

from micrographia.data.datamodule import IndexedImages
from micrographia.errors import UserError
from micrographia.tasks.exportable import steps_of

FILES = {
    "_target_": "micrographia.data.image_folder.ImageFolder",
    "name": "mine",
    "invert": False,
    "background": "zero",
}
RECORD = {"rule": "dtype", "dtype": "uint8", "limits": [], "side": 20, "blank": [], "repeats": False}


class Ones(IndexedImages):
    """A set of a class from elsewhere."""

    def __init__(self, name, kind):
        super().__init__()
        self.kind = getattr(torch, kind)

    def setup(self, stage):
        pass

    def indices(self, part):
        return torch.arange(2)

    def images(self, indices):
        return torch.ones(len(indices), 1, 8, 8, dtype=self.kind)


@pytest.mark.parametrize(
    ("told", "channels", "sources"),
    [
        ({"channels": "red, green, blue"}, ("red", "green", "blue"), (0, 1, 2)),
        ({"channels": "grey, grey, grey", "repeats": True}, ("grey",), (0, 0, 0)),
        (
            {"channels": "grey, grey, grey; red, green, blue", "repeats": True},
            ("red", "green", "blue"),
            (0, 1, 2),
        ),
        ({"channels": "DAPI, actin, zero", "blank": [2]}, ("DAPI", "actin"), (0, 1, None)),
        ({"channels": "DAPI, DAPI, actin", "repeats": True}, ("DAPI", "actin"), (0, 0, 1)),
        ({"channels": "GFP, GFP, DAPI"}, ("GFP", "GFP", "DAPI"), (0, 1, 2)),  # two channels of one name
        ({"channels": "GFP, long, DAPI, actin"}, ("channel 0", "channel 1", "channel 2"), (0, 1, 2)),
        ({"channels": "a, b, a, b, a, b", "repeats": True}, ("channel 0",), (0, 0, 0)),
    ],
)
def test_channels_are_fed_once_each(told, channels, sources):
    steps = steps_of(FILES, RECORD | told, 3, 16)
    assert (steps.channels, steps.sources) == (channels, sources)
    assert (steps.side, steps.size, steps.resized, steps.depth) == (20, 16, True, "8 bit")


def test_deep_images_scaled_by_their_type_need_a_file_to_tell_it(tmp_path):
    from PIL import Image

    data = {**FILES, "root": str(tmp_path), "size": None}
    record = RECORD | {"channels": "grey, grey, grey", "repeats": True, "dtype": "float16"}
    with pytest.raises(UserError):
        steps_of(data, record, 3, 16)
    for number in range(3):
        Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / f"{number}.png")
    assert steps_of({**data, "split": "none"}, record, 3, 16).highest == 65535


def test_a_record_of_a_former_version_is_answered():
    with pytest.raises(UserError, match="did not keep how values become 0 to 1"):
        steps_of(FILES, {"images": {"train": 3}}, 3, 16)


def test_a_simulated_assay_is_fed_counts():
    node = {"_target_": "micrographia.data.synthetic.golgi.GolgiAssay", "name": "golgi"}
    steps = steps_of(node, {"limits": [[0, 8000], [0, 8000]]}, 2, 64)
    assert (steps.channels, steps.rule, steps.depth, steps.resized) == (("dna", "reporter"), "limits", "deep", False)


@pytest.mark.parametrize(("kind", "depth"), [("uint8", "8 bit"), ("float16", "unit")])
def test_a_set_of_another_class_is_fed_as_it_is(kind, depth, monkeypatch):
    monkeypatch.setattr("micrographia.tasks.exportable.get_object", lambda target: Ones)
    monkeypatch.setattr("micrographia.tasks.exportable.instantiate", lambda node, key: Ones(node["name"], node["kind"]))
    steps = steps_of({"_target_": "mine.Ones", "name": "ones", "kind": kind}, {}, 1, 8)
    assert (steps.depth, steps.rule, steps.channels) == (depth, "dtype", ("channel 0",))
