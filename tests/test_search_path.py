import os
import sys
from pathlib import Path

import pytest

from micrographia import search_path
from micrographia.cli import command, main, without_folder
from micrographia.config import config_directory
from micrographia.errors import UserError
from micrographia.search_path import (
    config_file,
    folders,
    make_importable,
    own_folders,
    shadows,
    study_files,
    with_folder,
)
from micrographia.tasks.jobs import JobRunner

ADAM = (config_directory() / "optimizer" / "adam.yaml").read_text()


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty folder, in which this process is; nothing is named by the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(search_path.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@pytest.fixture
def write(desk):
    """Write a file, by its path in the folder."""

    def write(name, content=ADAM):
        file = desk / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    return write


def refused(capsys, *arguments):
    """What a command answers to a mistake."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert len(shown.err.splitlines()) <= 3
    return shown.err


def test_ours_is_the_only_folder_unless_there_are_others(desk):
    assert own_folders() == []
    assert folders() == [config_directory()]
    assert shadows() == {}


def test_the_nearest_folder_wins(desk, write, monkeypatch):
    for folder in ("lab", "group", "micrographia_conf", "given"):
        write(f"{folder}/optimizer/one.yaml")
    monkeypatch.setenv("MICROGRAPHIA_CONF", f"lab{os.pathsep}{desk / 'group'}")
    nearest = [desk / "micrographia_conf", desk / "lab", desk / "group"]
    assert own_folders() == nearest
    assert config_file("optimizer/one") == desk / "micrographia_conf/optimizer/one.yaml"
    assert config_file("optimizer/adam") == config_directory() / "optimizer/adam.yaml"
    with with_folder("given"):
        assert own_folders() == [desk / "given", *nearest]
        monkeypatch.chdir("/")  # as a process that a launcher starts elsewhere
        assert own_folders() == [desk / "given", *nearest]
    assert os.environ["MICROGRAPHIA_CONF"] == f"lab{os.pathsep}{desk / 'group'}"


def test_hydra_looks_in_the_same_folders_in_the_same_order(desk, write, monkeypatch, capsys):
    write("lab/optimizer/one.yaml", ADAM.replace("lr: ", "lr: 0.5  #"))
    write("micrographia_conf/optimizer/two.yaml")
    monkeypatch.setenv("MICROGRAPHIA_CONF", "lab")
    assert command(["train", "--info", "searchpath"]) == 0
    lines = capsys.readouterr().out.splitlines()
    places = [next(number for number, line in enumerate(lines) if str(place) in line) for place in folders()]
    assert places == sorted(places)
    assert command(["train", "optimizer=one", "--cfg", "job"]) == 0
    assert "lr: 0.5" in capsys.readouterr().out


def test_a_file_with_the_name_of_ours_is_taken_and_said(desk, write, monkeypatch, capsys):
    file = write("micrographia_conf/optimizer/adam.yaml", ADAM.replace("lr: ", "lr: 0.5  #"))
    write("micrographia_conf/experiments/rls_ablation.yaml")
    assert shadows() == {
        "experiments/rls_ablation": desk / "micrographia_conf/experiments/rls_ablation.yaml",
        "optimizer/adam": file,
    }
    assert command(["train", "--cfg", "job"]) == 0
    assert "lr: 0.5" in capsys.readouterr().out
    monkeypatch.setattr("micrographia.tasks.jobs.JobRunner.jobs_of", lambda *given: [])
    command(["train"])
    assert f"optimizer/adam: {file} is taken in place of the one that ships" in capsys.readouterr().err


def test_studies_of_ones_own_are_known_by_their_names(desk, write, capsys):
    shipped = (config_directory("experiments") / "drl_open_set.yaml").read_text()
    file = write("micrographia_conf/experiments/ours.yaml", shipped)
    assert study_files()["ours"] == file
    assert "drl_open_set" in study_files()
    assert command(["study", "list"]) == 0
    assert any(line.startswith("ours ") for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("arguments", [["train", "--config-dir", "nowhere"], ["study", "list", "--config-dir=nowhere"]])
def test_a_folder_that_is_not_there_is_refused(arguments, desk, capsys):
    assert refused(capsys, *arguments) == "micrographia: --config-dir nowhere: no such folder.\n"


def test_a_variable_that_names_no_folder_is_refused(desk, monkeypatch, capsys):
    monkeypatch.setenv("MICROGRAPHIA_CONF", "nowhere")
    assert "MICROGRAPHIA_CONF=" in refused(capsys, "train")


def test_the_option_needs_its_value():
    with pytest.raises(UserError, match=r"^--config-dir: no value given\. Write --config-dir FOLDER\.$"):
        without_folder(["seed=1", "--config-dir"])


@pytest.mark.parametrize("arguments", [["train", "--cfg", "job"], ["transfer"]])
def test_a_verbs_config_is_not_replaced(arguments, desk, write, capsys):
    file = write("micrographia_conf/train.yaml", "seed: 3")
    answer = refused(capsys, *arguments)
    assert answer.startswith(f"micrographia: {file}: the config of a verb cannot be replaced.")
    assert "experiment=NAME" in answer


@pytest.mark.parametrize(
    ("name", "content", "override", "said"),
    [
        ("optimizer/broken", "lr: [1", "optimizer=broken", "is no YAML"),
        ("experiment/broken", "lr: [1", "experiment=broken", "is no YAML"),
        ("experiment/list", "- 1", "experiment=list", "expected keys with values"),
        ("experiment/plain", "seed: 3", "experiment=plain", "begin the preset with the line # @package _global_"),
        ("optimizer/typo", ADAM.replace("lr:", "lrr:"), "optimizer=typo", "optimizer.lrr: no such key"),
        ("optimizer/gone", "_target_: gone.Gone  # nowhere", "optimizer=gone", "gone.Gone cannot be imported"),
    ],
)
def test_a_broken_file_is_answered_with_its_name(name, content, override, said, desk, write, capsys):
    file = write(f"micrographia_conf/{name}.yaml", content)
    answer = refused(capsys, "train", override)
    assert said in answer
    assert str(file) in answer or "optimizer." in answer


def test_a_file_that_is_mended_is_read_again(desk, write):
    from micrographia.presets import read

    file = write("micrographia_conf/optimizer/one.yaml", "lr: 1")
    assert read(file) == {"lr": 1}
    file.write_text("lr: 22")
    os.utime(file, ns=(1, 1))
    assert read(file) == {"lr": 22}


def test_modules_come_from_the_folders_and_come_last(desk, write, monkeypatch):
    write("micrographia_conf/own_module.py", "HERE = True")
    write("platform.py", "raise RuntimeError('the wrong one')")
    make_importable()
    make_importable()
    assert sys.path[-2:] == [str(desk / "micrographia_conf"), str(desk)]
    with with_folder("micrographia_conf"):
        (desk / "elsewhere").mkdir()
        monkeypatch.chdir(desk / "elsewhere")
        make_importable()
    assert sys.path[-2:] == [str(desk / "micrographia_conf"), str(desk / "elsewhere")]
    assert str(desk) not in sys.path
    import platform

    import own_module

    assert own_module.HERE
    assert platform.python_version()
    del sys.modules["own_module"]


def test_a_launchers_process_knows_the_folders_of_the_command(desk, write, monkeypatch):
    write("given/optimizer/one.yaml")
    seen = []
    monkeypatch.setattr(JobRunner, "made_of", lambda self, config: seen.append((own_folders(), Path.cwd())) or [])
    with with_folder("given"):
        runner = JobRunner("train", True, process="another", own_folders=tuple(own_folders()))
    (desk / "elsewhere").mkdir()
    monkeypatch.chdir(desk / "elsewhere")
    runner(None)
    assert seen == [([desk / "given"], desk)]
    assert str(desk / "given") in sys.path
    assert search_path.VARIABLE not in os.environ


def test_home_is_understood_in_the_folder_of_a_sweeps_records(desk, monkeypatch):
    monkeypatch.setenv("HOME", str(desk / "home"))
    monkeypatch.setattr("micrographia.tasks.jobs.JobRunner.jobs_of", lambda *given: [])
    assert command(["train", "-m", "seed=0,1", "how.paths.runs=~/my runs", "hydra/launcher=basic"]) == 0
    assert not (desk / "~").exists()
    assert (desk / "home" / "my runs" / ".sweeps").is_dir()


def test_a_launchers_settings_of_ones_own_are_a_choice(desk, write, capsys):
    write("micrographia_conf/hydra/launcher/lab.yaml", "defaults: [joblib, _self_]\nn_jobs: 3\n")
    assert command(["train", "hydra/launcher=lab", "--cfg", "hydra"]) == 0
    assert "n_jobs: 3" in capsys.readouterr().out
    assert "lab" in refused(capsys, "train", "-m", "seed=0,1", "hydra/launcher=labs")
