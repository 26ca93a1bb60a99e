"""The shipped configurations of `ImageFolder`, and, where the images are at hand, the sets themselves."""

import os

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from micrographia.config import config_directory, instantiate
from micrographia.data.datamodule import PARTS
from micrographia.data.image_folder import ImageFolder

DATA = os.environ.get("MICROGRAPHIA_DATA")
needs_images = pytest.mark.skipif(not DATA, reason="MICROGRAPHIA_DATA names no folder of the real sets")
SETS = ["plankton/ndsb", "human_cells/chula_rbc12", "yeast/rcell2", "bbbc021/cells"]


def load(name, *overrides):
    with initialize_config_dir(str(config_directory().absolute()), version_base="1.3"):
        config = compose(
            overrides=[f"+data={name}", f"+how.paths.data={DATA or 'nowhere'}", "data.size=64", *overrides]
        )
    OmegaConf.resolve(config)
    data = instantiate(config.data, "data")
    assert isinstance(data, ImageFolder)
    return data


@pytest.mark.parametrize("name", [*SETS, "assay/translocation", "image_folder"])
def test_config_builds_without_images(name):
    channels = 2 if name == "assay/translocation" else 3
    data = load(name, *(["data.root=nowhere"] if name == "image_folder" else []))
    assert data.shape == (channels, 64, 64)


@needs_images
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classes", "counts", "group"),
    [
        ("plankton/ndsb", 15, (2400, 600, 750), []),
        ("human_cells/chula_rbc12", 12, (1536, 384, 480), ["smear"]),
        ("yeast/rcell2", 3, (833, 208, 261), ["strain", "position", "cell_id"]),
        ("bbbc021/cells", 2, (414, 141, 445), ["field"]),
        ("assay/translocation", 3, (450, 150, 600), ["well"]),
    ],
)
def test_real_set(name, classes, counts, group):
    data = load(name)
    data.setup()
    assert len(data.classes) == classes
    tables = {part: data.table(data.indices(part)) for part in PARTS}
    assert tuple(len(table) for table in tables.values()) == counts
    assert all(table["class"].nunique() == classes for table in tables.values())
    assert list(data.splitting.group) == group
    if group:
        groups = [set(table[group].itertuples(index=False, name=None)) for table in tables.values()]
        assert sum(map(len, groups)) == len(set.union(*groups))
    if name == "assay/translocation":
        assert set(tables["test"]["row"]) == {"B", "F"}
    if name == "bbbc021/cells":
        assert set(tables["test"]["plate"]) == {"Week4_27821"}
        assert set(tables["train"]["plate"]) == set(tables["val"]["plate"]) == {"Week4_27801"}
    images = next(data.chunks(data.indices("train")))
    assert 0 <= images.min() <= images.max() <= 1
    assert images.std() > 0.05
