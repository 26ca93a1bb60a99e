"""What a command leaves and says: one line on stdout, one folder on disk, once trained for all who ask."""

import subprocess
import sys

import pytest

from micrographia.config import config_directory


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_two_processes_train_one_run_once(desk, terminal, training):
    """And say the same: the folder alone on stdout, progress and tables on stderr, nothing but ``runs/`` on disk."""
    processes = [terminal.start("train", *training) for _ in range(2)]
    shown = [process.communicate(timeout=1800) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], shown
    (folder,) = (desk / "runs" / "train").glob("[!.]*")
    line = f"{folder.relative_to(desk)}\n"
    assert [out for out, _ in shown] == [line, line]
    starts = [f"{line.strip()}: starting" in err for _, err in shown]
    assert sorted(starts) == [False, True]
    trained, returned = shown[starts.index(True)][1], shown[starts.index(False)][1]
    assert "latents/kl" in trained  # the closing table
    assert "images/s" in trained  # the progress bar
    assert f"{line.strip()}: already finished" in returned
    assert "latents/kl" not in returned
    assert names_in(desk) == ["runs"]
    assert names_in(desk / "runs") == ["train"]


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["train", "transfer"])
def test_every_verb_works_from_any_directory(verb, tmp_path, terminal, training, transfer):
    """Also from a folder with a space, a ``conf`` of its own and nothing to do with this package."""
    folder = tmp_path / "any where"
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / f"{verb}.yaml").write_text("other: program")
    overrides = training if verb == "train" else transfer
    status, out, err = terminal.run(verb, *overrides, cwd=folder)
    assert status == 0, err
    assert (folder / out.strip() / "result.json").exists()
    assert names_in(folder) == ["conf", "runs"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    status, again, err = terminal.run(verb, *overrides, f"how.paths.runs={folder / 'runs'}", cwd=elsewhere)
    assert (status, again.strip()) == (0, str(folder / out.strip()))
    assert names_in(elsewhere) == []


def test_a_bug_shows_its_traceback(micrographia, training, monkeypatch):
    def broken(what, how, run):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("micrographia.tasks.train.train_model", broken)
    from micrographia.cli import main

    with pytest.raises(ZeroDivisionError, match="a bug"):
        main(["train", *training])


def test_a_verb_needs_no_overrides(micrographia, monkeypatch):
    monkeypatch.setattr("micrographia.tasks.train.train_model", lambda what, how, run: {"score": 1.0})
    status, out, err = micrographia("train")
    assert (status, len(out)) == (0, 1), err


@pytest.mark.slow
def test_the_traceback_reaches_the_user(desk):
    code = (
        "import micrographia.tasks.train as task, micrographia.cli as cli\n"
        "task.train_model = lambda what, how, run: 1 / 0\n"
        "cli.main(['train'])\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], cwd=desk, capture_output=True, text=True)
    assert finished.returncode == 1
    assert "Traceback (most recent call last)" in finished.stderr
    assert "ZeroDivisionError: division by zero" in finished.stderr
    assert finished.stdout == ""


def test_the_config_tree_is_found():
    assert (config_directory() / "transfer.yaml").exists()
    assert config_directory("experiments").is_dir()
