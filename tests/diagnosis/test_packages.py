import pytest
from packaging.requirements import Requirement

from micrographia.diagnosis import packages
from micrographia.diagnosis.finding import Finding, shown_path, worst
from micrographia.diagnosis.packages import (
    COLLECTIONS,
    PURPOSES,
    conflicts,
    core_requirements,
    declared,
    extra_findings,
    extras,
    in_extra,
    malware,
    python_version,
    requirement_findings,
)


@pytest.fixture
def installed(monkeypatch):
    """Let packages be installed in versions that a test names; others are missing."""

    def install(**versions):
        named = {name.replace("_", "-"): version for name, version in versions.items()}
        monkeypatch.setattr(packages, "installed_version", named.get)
        monkeypatch.setattr(packages, "version", named.get)

    return install


def test_every_extra_has_a_purpose():
    assert set(extras()) == set(PURPOSES)
    assert set(COLLECTIONS) <= set(declared()[2])
    assert {"torch", "hydra-core", "filelock"} <= {each.name for each in core_requirements()}


def test_an_extra_that_is_missing_names_its_command(installed):
    installed(wandb="0.31.0", zarr="2.18")
    found = {finding.name: finding for finding in extra_findings()}
    assert found["wandb"].mark == "ok"
    assert found["shap"].mark == "note"
    assert found["shap"].value.startswith('pip install "micrographia[shap]"')
    assert found["zarr"].mark == "warning"
    assert found["zarr"].advice == 'pip install "micrographia[zarr]"'
    assert "zarr 2.18, expected >=3.0" in found["zarr"].value


def test_a_requirement_that_is_missing_or_old_is_broken(installed):
    installed(torch="2.1.0")
    old, missing = requirement_findings([Requirement("torch>=2.4"), Requirement("zuko>=1.5")])
    assert (old.value, old.mark, old.advice) == ("2.1.0, expected >=2.4", "broken", "pip install 'torch>=2.4'")
    assert (missing.value, missing.mark) == ("missing", "broken")
    installed(torch="2.13.0+cpu", zuko="1.5")
    assert not list(requirement_findings([Requirement("torch>=2.4"), Requirement("zuko>=1.5")]))


@pytest.mark.parametrize(("version", "count"), [("2.6.2", 1), ("2.6.3", 1), ("2.6.6", 0)])
def test_malware_is_named(version, count, installed):
    installed(pytorch_lightning=version)
    found = list(malware())
    assert len(found) == count
    assert all(finding.mark == "broken" and "change every password" in finding.advice for finding in found)


def test_a_torchvision_of_another_torch_is_told(installed, monkeypatch):
    installed(torch="2.13.0", torchvision="0.20.0", umap_learn="0.5.7")
    wanted = {"torchvision": [Requirement("torch==2.5.0")], "umap-learn": [Requirement("numba>=0.5")]}
    monkeypatch.setattr(packages, "needs", lambda package: wanted.get(package, []))
    umap, vision = sorted(conflicts(), key=lambda finding: finding.name != "umap-learn")
    assert "0.20.0 wants torch==2.5.0: 2.13.0, expected ==2.5.0" in vision.value
    assert "pip uninstall torchvision" in vision.advice
    assert umap.advice == "pip install 'numba>=0.5' (for umap-learn)"


def test_another_python_is_broken(monkeypatch):
    assert python_version().mark == "ok"
    monkeypatch.setattr("platform.python_version", lambda: "3.9.1")
    assert python_version().mark == "broken"


def test_a_wheels_extras_are_read():
    lines = ["torch>=2.4", "wandb>=0.31; extra == 'all'", "wandb>=0.31; extra == 'wandb'"]
    assert in_extra(lines, "wandb") == ["wandb>=0.31"]


def test_the_worst_mark_counts(monkeypatch):
    assert worst([]) == "ok"
    assert worst([Finding("a", "b", "c", "broken"), Finding("a", "b", "c", "note")]) == "broken"
    monkeypatch.setenv("HOME", "/home/somebody")
    assert shown_path("/home/somebody/runs") == "~/runs"
    assert shown_path("/home/somebodys/runs") == "/home/somebodys/runs"
