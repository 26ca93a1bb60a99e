"""Licence and citation of the images that a configuration names, as the catalogue and the config tree know them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import Any

from micrographia.config import config_directory
from micrographia.data.catalogue.public_set import PublicSet
from micrographia.data.catalogue.sets import SETS
from micrographia.presets import read

SYNTHETIC = "micrographia.data.synthetic."
HERE = "${how.paths.data}/"
UNKNOWN = "not known to micrographia: whoever shares the model has to know it"
# Keys of rendered sets that bring files of others in, and the public set that these usually are.
BROUGHT_IN = {"sprites": "dsprites", "textures": "brodatz"}


@dataclass(frozen=True)
class Terms:
    """What is known of the images that a model has seen.

    Attributes
    ----------
    name : str
        Label of the set.
    about : str
        What the images show; empty where nobody has said.
    licence, citation : str
        Terms, and whom to cite; empty where there is nobody to cite.
    choice : str
        The choice of ``data`` that reads the set; empty for a folder of the user's own.
    page : str
        The set's own page; empty where it has none.
    simulated : bool
        Whether the images are rendered by this package.
    certain : bool
        Whether it is known, not merely likely, that the images are this set.
    """

    name: str
    about: str
    licence: str
    citation: str = ""
    choice: str = ""
    page: str = ""
    simulated: bool = False
    certain: bool = True


def terms_of(node: Mapping[str, Any]) -> Terms:
    """Terms of the images of a ``data`` node; of images of which nothing is known, it says so.

    A public set is recognised by its label and the end of its folder's path. Where the label alone fits, the images may
    be others that are laid out alike.

    Examples
    --------
    >>> terms_of({"_target_": "micrographia.data.image_folder.ImageFolder", "name": "mine", "root": "/images"}).licence
    'not known to micrographia: whoever shares the model has to know it'
    >>> terms_of({"name": "chula_rbc12", "root": "data/human/chula_rbc12"}).licence
    'MIT'
    """
    name = str(node.get("name", ""))
    if str(node.get("_target_", "")).startswith(SYNTHETIC):
        return rendered(name, node)
    root = PurePath(str(node.get("root") or (node.get("fields") or {}).get("root") or ""))
    for choice, (label, folder, comment) in readers().items():
        if label == name:
            certain = root.parts[-len(PurePath(folder).parts) :] == PurePath(folder).parts
            return published(name, choice, comment, certain)
    return Terms(name, "images of the user's own", UNKNOWN)


def rendered(name: str, node: Mapping[str, Any]) -> Terms:
    """Terms of a synthetic set: this package's, and those of files of others that it shows."""
    others = [SETS[public] for key, public in BROUGHT_IN.items() if node.get(key)]
    licence = "none needed: rendered by micrographia (Apache-2.0) from numbers"
    if others:
        shown = "; ".join(f"{public.name}: {public.licence}" for public in others)
        licence = f"rendered by micrographia (Apache-2.0) with files given by the user; if these are {shown}"
    choice = f"synthetic/{name}" if (config_directory() / "data" / "synthetic" / f"{name}.yaml").exists() else ""
    citation = "; ".join(public.citation for public in others)
    return Terms(name, "images rendered with known truth", licence, citation, choice, simulated=True)


def published(name: str, choice: str, comment: str, certain: bool) -> Terms:
    """Terms of a public set: of the catalogue where it is listed, else of the head of its config."""
    public = listed(choice)
    if public is not None:
        return Terms(name, public.about, public.licence, public.citation, choice, public.page, certain=certain)
    found = re.search(r"Licence: (.+?)\. Cite (.+?)\.?(?: micrographia data .*)?$", comment, re.M)
    if found is None:
        return Terms(name, "images of the user's own", UNKNOWN, choice=choice)
    about = comment.splitlines()[0].rstrip(".")
    return Terms(name, about, found[1], found[2], choice, certain=certain)


def listed(choice: str) -> PublicSet | None:
    """The public set that a choice of ``data`` reads; None where the catalogue does not list it."""
    return next((public for public in SETS.values() if choice in (public.reader or public.name, public.name)), None)


@cache
def readers() -> dict[str, tuple[str, str, str]]:
    """Choices of ``data`` that read a set from its own folder: label, folder below the data, and the head's comment."""
    found = {}
    tree = config_directory() / "data"
    for file in sorted(tree.rglob("*.yaml")):
        node = read(file)
        root = str(node.get("root") or (node.get("fields") or {}).get("root") or "")
        if root.startswith(HERE) and "name" in node:
            head = [line for line in file.read_text().splitlines() if line.startswith("#")]
            comment = "\n".join(line.lstrip("# ") for line in head)
            choice = file.relative_to(tree).with_suffix("").as_posix()
            found[choice] = (str(node["name"]), root.removeprefix(HERE), comment)
    return found
