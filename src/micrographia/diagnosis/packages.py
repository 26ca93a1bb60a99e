"""Python and packages: versions, extras that are missing, and packages that do not fit each other."""

import platform
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, metadata, requires, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from micrographia import __version__
from micrographia.diagnosis.finding import Finding
from micrographia.runs.environment import git_commit, installed_version

PACKAGE = "micrographia"
# What each extra is for, as a user names it.
PURPOSES = {
    "wandb": "logger=wandb, report --wandb",
    "tensorboard": "logger=tensorboard",
    "efficientnet": "backbone=efficientnet_lite0, presets on features",
    "dino": "backbone=dino_vitb16, dinov2_small",
    "zarr": "images in OME-Zarr",
    "tune": "sweep=optuna",
    "joblib": "hydra/launcher=joblib",
    "cluster": "hydra/launcher=submitit_slurm, submitit_local",
    "onnx": "export format=onnx",
    "notebook": "the notebook",
    "umap": "interpretation.projections=[umap]",
    "shap": "interpretation.importance=[shap]",
    "cellprofiler": "interpretation.features=[cellprofiler]",
    "ray": "hydra/launcher=ray",
}
COLLECTIONS = ("all", "dev", "docs")  # extras that are no part of a user's
SHOWN = ("torch", "pytorch-lightning", "hydra-core", "omegaconf", "numpy", "pandas", "scikit-learn", "scikit-image")
# Looked at where they are installed, though we need none of them: they break the import of those that we need.
NEIGHBOURS = ("torchvision", "torchaudio", "lightning")
MALWARE = {"pytorch-lightning": ("2.6.2", "2.6.3"), "lightning": ("2.6.2", "2.6.3")}


def package_findings() -> list[Finding]:
    """Versions of Python and of what every command needs, and what is wrong with them."""
    return [
        own_version(),
        python_version(),
        *(Finding("versions", name, installed_version(name) or "missing") for name in SHOWN if installed_version(name)),
        *requirement_findings(core_requirements()),
        *malware(),
        *conflicts(),
    ]


def own_version() -> Finding:
    """Version of this package, and the commit of its checkout."""
    commit = git_commit()
    value = f"{__version__} (checkout at {commit[:10]}{'+changes' if '+' in commit else ''})" if commit else __version__
    return Finding("versions", PACKAGE, value)


def python_version() -> Finding:
    """Python's version, and whether it is one of ours."""
    wanted = python_wanted()
    own = platform.python_version()
    value = f"{own} on {platform.system()} {platform.machine()}"
    if SpecifierSet(wanted).contains(own, prereleases=True):
        return Finding("versions", "Python", value)
    return Finding("versions", "Python", value, "broken", f"Make an environment with Python {wanted}.")


@cache
def declared() -> tuple[str, list[str], dict[str, list[str]]]:
    """Python's versions, requirements and extras: by the checkout's ``pyproject.toml``, else by the installed wheel."""
    file = Path(__file__).parents[3] / "pyproject.toml"
    if file.is_file():
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        return project["requires-python"], project["dependencies"], project["optional-dependencies"]
    try:
        lines = requires(PACKAGE) or []
    except PackageNotFoundError:  # a copy of the source, run in place
        return f">={sys.version_info.major}.{sys.version_info.minor}", [], {}
    extras = {extra: in_extra(lines, extra) for extra in metadata(PACKAGE).get_all("Provides-Extra") or []}
    return metadata(PACKAGE)["Requires-Python"], [line for line in lines if "extra ==" not in line], extras


def in_extra(lines: Iterable[str], extra: str) -> list[str]:
    """Requirements of a wheel that an extra brings.

    Examples
    --------
    >>> in_extra(["torch>=2.4", "zarr>=3.0; extra == 'zarr'"], "zarr")
    ['zarr>=3.0']
    """
    found = [Requirement(line) for line in lines]
    own = [
        each for each in found if each.marker and "extra" in str(each.marker) and each.marker.evaluate({"extra": extra})
    ]
    return [f"{each.name}{each.specifier}" for each in own]


def python_wanted() -> str:
    """Versions of Python that we run on."""
    return declared()[0]


def core_requirements() -> list[Requirement]:
    """What every command needs."""
    return [Requirement(line) for line in declared()[1]]


def extras() -> dict[str, list[Requirement]]:
    """What each optional part needs."""
    return {
        name: [Requirement(line) for line in lines] for name, lines in declared()[2].items() if name not in COLLECTIONS
    }


def requirement_findings(wanted: Iterable[Requirement]) -> Iterator[Finding]:
    """Requirements that are missing, or of a version that does not fit."""
    for requirement in wanted:
        if trouble := trouble_with(requirement):
            advice = f"pip install '{requirement.name}{requirement.specifier}'"
            yield Finding("versions", requirement.name, trouble, "broken", advice)


def trouble_with(requirement: Requirement) -> str:
    """What is wrong with an installed requirement; empty if nothing is."""
    found = installed_version(requirement.name)
    if found is None:
        return "missing"
    if not requirement.specifier.contains(found, prereleases=True):
        return f"{found}, expected {requirement.specifier}"
    return ""


def extra_findings() -> list[Finding]:
    """Each optional part: whether it is installed, what it is for, and how it is installed."""
    found = []
    for name, wanted in extras().items():
        purpose = PURPOSES.get(name, "")
        missing = [each.name for each in wanted if installed_version(each.name) is None]
        odd = [
            f"{each.name} {trouble_with(each)}" for each in wanted if each.name not in missing and trouble_with(each)
        ]
        install = f'pip install "{PACKAGE}[{name}]"'
        if missing:
            found.append(Finding("optional parts", name, f"{install}  for {purpose}", "note"))
        elif odd:
            found.append(Finding("optional parts", name, f"{purpose}: {', '.join(odd)}", "warning", install))
        else:
            versions = ", ".join(f"{each.name} {installed_version(each.name)}" for each in wanted)
            found.append(Finding("optional parts", name, f"{purpose} ({versions})"))
    return found


def malware() -> Iterator[Finding]:
    """Releases of Lightning that were malware."""
    for package, versions in MALWARE.items():
        if (found := installed_version(package)) in versions:
            advice = (
                f"{package} {found} was malware. Remove it now: pip uninstall {package}; then change every password "
                "and key that this machine knows, and pip install 'pytorch-lightning>=2.5,!=2.6.2,!=2.6.3'"
            )
            yield Finding("versions", package, f"{found}: a release that was malware", "broken", advice)


def conflicts() -> Iterator[Finding]:
    """Installed packages whose own requirements are not met, among ours, our extras' and their neighbours."""
    of_extras = [each.name for wanted in extras().values() for each in wanted]
    for package in dict.fromkeys([*(each.name for each in core_requirements()), *of_extras, *NEIGHBOURS]):
        for needed in needs(package):
            if trouble := trouble_with(needed):
                wants = f"wants {needed.name}{needed.specifier}: {trouble}"
                yield Finding("versions", package, f"{version(package)} {wants}", "warning", mend(package, needed))


def needs(package: str) -> list[Requirement]:
    """Requirements of an installed package here, without extras; none where it is not installed."""
    try:
        lines = distribution(package).requires or []
        found = [Requirement(line) for line in lines]
    except (PackageNotFoundError, InvalidRequirement):
        return []
    return [each for each in found if each.marker is None or each.marker.evaluate({"extra": ""})]


def mend(package: str, needed: Requirement) -> str:
    """What to do about a package whose requirement is not met."""
    if package in NEIGHBOURS:
        return (
            f"{package} does not match torch, and may break the import of Lightning. We do not need it: "
            f"pip uninstall {package}, or install the release of your torch."
        )
    return f"pip install '{needed.name}{needed.specifier}' (for {package})"
