"""A process that is killed or interrupted, and the same command again: the same numbers as without."""

import signal
import time

import pandas as pd
import pytest

from micrographia.runs.run import Run


def same_run(one, other):
    """Whether two finished runs are equal to the bit: metrics, weights, tables, curves."""
    assert one.metrics == other.metrics
    assert one.weights.exists() == other.weights.exists()
    if one.weights.exists():
        assert one.weights.read_bytes() == other.weights.read_bytes()
        pd.testing.assert_frame_equal(
            pd.read_csv(one.folder / "curves.csv"), pd.read_csv(other.folder / "curves.csv"), check_exact=True
        )
    tables = sorted(file.name for file in (one.folder / "tables").iterdir())
    assert tables == sorted(file.name for file in (other.folder / "tables").iterdir())
    for table in tables:
        assert (one.folder / "tables" / table).read_bytes() == (other.folder / "tables" / table).read_bytes()


def left_over(folder):
    """Partial files that a killed process left."""
    return [file for file in folder.rglob(".*") if not file.name.endswith(".lock") and ".sweeps" not in file.parts]


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=SLOW), pytest.param(signal.SIGTERM, marks=SLOW)]
)
def test_a_training_goes_on_and_ends_bit_equal(how, desk, terminal, whole_training, wait_for, micrographia):
    training, whole = whole_training
    process = terminal.start("train", *training)
    checkpoint = wait_for(process, desk, "runs/train/*/last.ckpt")
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert process.returncode == (-how if how == signal.SIGKILL else 130)
    assert out == ""
    assert "Traceback" not in err
    if how != signal.SIGKILL:
        assert err.splitlines()[-1].startswith("micrographia: interrupted. The same command goes on")
    folder = checkpoint.parent
    assert not (folder / "weights.safetensors").exists()
    assert not (folder / "result.json").exists()
    (folder / ".last.99.part.ckpt").write_text("half a checkpoint")

    status, out, err = micrographia("train", *training)
    assert (status, out) == (0, [str(folder.relative_to(desk))])
    assert f"{out[0]}: resuming" in err
    assert left_over(desk) == []
    same_run(Run(folder), Run(whole / out[0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [
        "runs/train/*/last.ckpt",  # while the source is trained
        "runs/transfer/*/tables/codes_before.csv",  # before fine-tuning
        "runs/transfer/*/last.ckpt",  # while fine-tuning
        "runs/transfer/*/weights.safetensors",  # when fine-tuning is done
        "runs/transfer/*/tables/probes.csv",  # before the last figures
    ],
)
def test_a_transfer_goes_on_and_ends_bit_equal(moment, desk, terminal, wait_for, whole_transfer):
    transfer, whole = whole_transfer
    transfer, whole = whole_transfer
    process = terminal.start("transfer", *transfer)
    wait_for(process, desk, moment)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    assert not list(desk.glob("runs/transfer/*/result.json"))
    finished = {file: file.stat().st_mtime_ns for file in desk.glob("runs/train/*/result.json")}

    status, out, err = terminal.run("transfer", *transfer)
    assert status == 0, err
    assert left_over(desk) == []
    assert {file: file.stat().st_mtime_ns for file in finished} == finished  # a finished source is left alone
    same_run(Run(desk / out.strip()), Run(whole / out.strip()))
    (source,) = desk.glob("runs/train/*/result.json")
    (other,) = whole.glob("runs/train/*/result.json")
    same_run(Run(source.parent), Run(other.parent))


@pytest.mark.slow
def test_killed_again_and_again_it_still_arrives(desk, terminal, whole_training, wait_for, micrographia):
    """Every process gets one checkpoint further; what remains is the whole run."""
    training, whole = whole_training
    for _ in range(2):
        before = {file: file.stat().st_mtime_ns for file in desk.glob("runs/train/*/last.ckpt")}
        process = terminal.start("train", *training)
        checkpoint = wait_for(process, desk, "runs/train/*/last.ckpt")
        while checkpoint.stat().st_mtime_ns == before.get(checkpoint):
            assert process.poll() is None
            time.sleep(0.002)
        process.kill()
        process.communicate()
        assert not (checkpoint.parent / "weights.safetensors").exists()
    status, out, _ = micrographia("train", *training)
    assert status == 0
    same_run(Run(desk / out[0]), Run(whole / out[0]))
