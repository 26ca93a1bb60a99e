"""Where configs are looked for: folders of the user's, then the config tree that ships."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from micrographia.config import config_directory
from micrographia.errors import UserError

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from hydra.core.config_search_path import ConfigSearchPath

VARIABLE = "MICROGRAPHIA_CONF"
BESIDE = "micrographia_conf"  # in the folder that a command is given in
STUDIES = "experiments"

imported_from: list[str] = []  # folders that this module has put on sys.path


def own_folders() -> list[Path]:
    """The user's config folders, absolute: ``./micrographia_conf``, then those that ``MICROGRAPHIA_CONF`` names.

    The first that has a file wins, and all of them come before the tree that ships. ``--config-dir`` puts one before
    them (`with_folder`). The variable may name several, joined as those of ``PATH`` are.

    Raises
    ------
    UserError
        If the variable names a folder that is not there.
    """
    named = [Path(name).expanduser().resolve() for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    if missing := next((folder for folder in named if not folder.is_dir()), None):
        raise UserError(f"{VARIABLE}={missing}: no such folder. Make it, or set the variable to the one that is meant.")
    beside = Path(BESIDE).resolve()
    nearest = [beside] if beside.is_dir() and beside not in named else []
    return list(dict.fromkeys([*nearest, *named]))


def folders() -> list[Path]:
    """All folders in which configs are looked for, the first that has a file wins."""
    return [*own_folders(), config_directory()]


def config_file(name: str) -> Path:
    """File of a choice, as ``data/image_folder``; where there is none, the path at which one would ship.

    Examples
    --------
    >>> config_file("optimizer/adam").name
    'adam.yaml'
    """
    files = [folder / f"{name}.yaml" for folder in folders()]
    return next((file for file in files if file.is_file()), files[-1])


def is_group(key: str) -> bool:
    """Whether a key is that of a config group.

    Examples
    --------
    >>> is_group("model"), is_group("model/network"), is_group("seed")
    (True, True, False)
    """
    return any((folder / key).is_dir() for folder in folders())


def study_files() -> dict[str, Path]:
    """Files of all studies, by name: the user's lie in ``experiments/`` of their config folders."""
    places = [config_directory(STUDIES), *(folder / STUDIES for folder in reversed(own_folders()))]
    found = {file.stem: file for place in places for file in place.glob("*.yaml")}
    return dict(sorted(found.items()))


def shadows() -> dict[str, Path]:
    """Files of the user's that are taken in place of one that ships, by what they are called."""
    own, ours, studies = own_folders(), config_directory(), config_directory(STUDIES)
    if not own:
        return {}
    names = [file.relative_to(ours) for file in ours.rglob("*.yaml")]
    names += [Path(STUDIES) / file.name for file in studies.glob("*.yaml")]
    found = {name: next((folder / name for folder in own if (folder / name).is_file()), None) for name in names}
    return {name.with_suffix("").as_posix(): file for name, file in sorted(found.items()) if file is not None}


def say_shadows() -> None:
    """Say on stderr which files of the user's are taken in place of ours."""
    for name, file in shadows().items():
        print(f"{name}: {file} is taken in place of the one that ships", file=sys.stderr)


def check_own_folders() -> None:
    """Refuse files of the user's that would stand for the config of a verb.

    Raises
    ------
    UserError
        With the first such file.
    """
    for folder in own_folders():
        for file in sorted(folder.glob("*.yaml")):
            if (config_directory() / file.name).is_file():
                raise UserError(
                    f"{file}: the config of a verb cannot be replaced. Set what differs in a preset, "
                    f"{folder.name}/experiment/NAME.yaml, and choose it: experiment=NAME."
                )


@contextmanager
def with_folder(folder: str | None) -> Iterator[None]:
    """Look through a folder before all others in this block, in processes that it starts too (``--config-dir``).

    Raises
    ------
    UserError
        If it is not there.
    """
    if folder is None:
        yield
        return
    path = Path(folder).expanduser().resolve()
    if not path.is_dir():
        raise UserError(f"--config-dir {folder}: no such folder.")
    with looking_in([path, *own_folders()]):
        yield


@contextmanager
def looking_in(own: Sequence[Path]) -> Iterator[None]:
    """Let ``MICROGRAPHIA_CONF`` name these folders in this block."""
    former = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = os.pathsep.join(map(str, own))
    try:
        yield
    finally:
        if former is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = former


def make_importable() -> None:
    """Let ``_target_`` name modules that lie in the user's config folders, or in the folder of the command.

    They come last, so that a file called as an installed package does not stand in its way. Those of a former command
    of this process go.
    """
    wanted = list(map(str, [*own_folders(), Path.cwd()]))
    sys.path[:] = [place for place in sys.path if place not in imported_from or place in wanted]
    imported_from[:] = [folder for folder in wanted if folder not in sys.path or folder in imported_from]
    sys.path.extend(folder for folder in imported_from if folder not in sys.path)


def hydra_search_path() -> "ConfigSearchPath":
    """Hydra's search path: the user's folders, then the tree that ships."""
    from hydra._internal.utils import create_config_search_path

    search_path = create_config_search_path(str(config_directory()))
    for folder in reversed(own_folders()):
        search_path.prepend("user", f"file://{folder}")
    return search_path


@contextmanager
def hydra_initialized(name: str = "micrographia") -> Iterator["Hydra"]:
    """Hydra on our search path, for ``hydra.compose``; of an outer Hydra the state comes back after the block."""
    from hydra import version
    from hydra._internal.hydra import Hydra
    from hydra.core.global_hydra import GlobalHydra

    make_importable()
    outer = GlobalHydra.instance().hydra  # of the command that is being run: Hydra knows one at a time
    GlobalHydra.instance().clear()
    version.setbase("1.3")
    try:
        yield Hydra.create_main_hydra2(name, hydra_search_path())
    finally:
        GlobalHydra.instance().clear()
        if outer is not None:
            GlobalHydra.instance().initialize(outer)
