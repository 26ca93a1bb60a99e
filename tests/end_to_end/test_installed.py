"""The package as it is installed: what its wheel carries, and that it works without the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def tracked(*folders):
    """Files of the checkout that a clone has, relative to its root."""
    listed = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", *folders]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines()
    return [Path(name) for name in names if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Wheel built from a copy of what a clone has."""
    pytest.importorskip("hatchling", reason="hatchling, the build backend, is not installed")
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no git checkout to copy")
    clone = tmp_path_factory.mktemp("clone")
    for file in tracked():
        (clone / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, clone / file)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(clone / "dist")]
    built = subprocess.run(build, cwd=clone, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (path,) = (clone / "dist").glob("*.whl")
    return path


def test_config_tree_studies_and_weights_travel_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
    package = {file.relative_to("src").as_posix() for file in tracked("src")}
    trees = {f"micrographia/{file.as_posix()}" for file in tracked("conf", "experiments")}
    assert {"micrographia/conf/transfer.yaml", "micrographia/conf/model/network/conv.yaml"} <= trees
    assert package | trees <= carried
    others = {name for name in carried if not name.startswith("micrographia/") and ".dist-info/" not in name}
    assert others == set()
    assert wheel.stat().st_size < 30e6


def test_it_works_unpacked_elsewhere(wheel, tmp_path):
    """As in a fresh environment: the same packages, but micrographia from the wheel alone."""
    installed, desk = tmp_path / "site", tmp_path / "desk"
    desk.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    environment = os.environ | {"PYTHONPATH": str(installed)}

    def run(*arguments):
        line = [sys.executable, *arguments]
        return subprocess.run(line, cwd=desk, env=environment, capture_output=True, text=True)

    found = run(
        "-c",
        "import micrographia.config as c; print(c.config_directory()); print(c.config_directory('experiments'))",
    ).stdout.splitlines()
    assert found == [str(installed / "micrographia" / "conf"), str(installed / "micrographia" / "experiments")]
    shown = run("-m", "micrographia", "train", "--cfg", "job", "experiment=drl/source")
    assert shown.returncode == 0, shown.stderr
    assert "aggregator: labels" in shown.stdout
    assert "experiment=drl/" in run("-m", "micrographia", "transfer", "--help").stdout
    assert list(desk.iterdir()) == []
    tiny = ("budget.steps=2", "budget.batch_size=4", "data.samples={train: 16, val: 8, test: 8}", "naming.samples=100")
    trained = run("-m", "micrographia", "train", *tiny)
    assert trained.returncode == 0, trained.stderr
    assert (desk / trained.stdout.strip() / "result.json").exists()
