"""The picture of the house against the code: packages, groups of the configuration, and imports that run one way."""

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from micrographia.config import config_directory

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "micrographia"
PICTURE = ElementTree.parse(ROOT / "docs" / "images" / "house.svg").getroot()
DRAWN = [node for node in PICTURE.iter() if node.get("data-name")]
ROWS = {node.get("data-name"): int(node.get("data-row")) for node in DRAWN if node.get("class") == "part"}
PURE = ("measure", "plots", "probes", "scores")


def imported(file):
    """Names of the modules that a file imports, also within functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(package):
    """Modules of a package, without programs of their own (``__main__.py``)."""
    found = [SOURCE / f"{package}.py"] if (SOURCE / f"{package}.py").exists() else (SOURCE / package).rglob("*.py")
    return [file for file in found if file.name != "__main__.py"]


def test_the_picture_shows_every_package():
    packages = {folder.name for folder in SOURCE.iterdir() if (folder / "__init__.py").is_file()}
    assert packages | {"cli"} == set(ROWS)


def test_the_picture_shows_groups_that_are_there():
    groups = [node.get("data-name") for node in DRAWN if node.get("class") == "group"]
    assert len(groups) > 10
    assert [name for name in groups if not (config_directory() / name).is_dir()] == []


@pytest.mark.parametrize("package", ROWS)
def test_imports_run_downwards_in_the_picture(package):
    for file in files(package):
        for name in imported(file):
            if (found := re.match(r"micrographia\.(\w+)", name)) and found[1] in ROWS and found[1] != package:
                assert ROWS[found[1]] > ROWS[package], f"{file.relative_to(SOURCE)} imports {name}"


@pytest.mark.parametrize("package", PURE)
def test_what_computes_and_draws_knows_neither_lightning_nor_hydra(package):
    for file in files(package):
        assert not {name.split(".")[0] for name in imported(file)} & {
            "pytorch_lightning",
            "lightning",
            "hydra",
            "omegaconf",
        }
