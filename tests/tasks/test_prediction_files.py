import errno

import pandas as pd
import pytest

from micrographia.errors import UserError
from micrographia.tasks.prediction_files import PredictionFolder

ASKED = {"run": "runs/transfer/a-1", "probe": None}


class Results(PredictionFolder):
    """A folder of two rows an image."""

    def opened(self):
        return super().opened(["file", "class"], 2)


def folder(path, asked=ASKED):
    return Results(path, asked)


def rows(*names):
    return pd.DataFrame([(name, f"class {row}") for name in names for row in range(2)], columns=["file", "class"])


@pytest.mark.parametrize("torn", [b"c.png,cl", b"c.png,class 0\n", b'"c, d.png",class 0\nc.png,class 0\nc.p', b""])
def test_what_a_killed_process_left_is_cut_off(tmp_path, torn):
    results = folder(tmp_path / "out")
    with results.opened():
        results.append(rows("a, 1.png", "b.png"))
        results.refuse({"z.png": "is empty"})
    whole = results.table.read_bytes()
    results.table.write_bytes(whole + torn)
    again = folder(tmp_path / "out")
    with again.opened():
        assert again.done == {"a, 1.png", "b.png"}
        assert not again.unreadable.exists()
        again.append(rows("c.png"))
    table = pd.read_csv(again.table)
    assert table["file"].tolist() == ["a, 1.png"] * 2 + ["b.png"] * 2 + ["c.png"] * 2
    assert again.table.read_bytes().startswith(whole)


def test_a_torn_header_is_none(tmp_path):
    (tmp_path / "out").mkdir()
    results = folder(tmp_path / "out")
    with results.opened():
        pass
    results.table.write_bytes(b"file,cla")
    with results.opened():
        results.append(rows("a.png"))
    assert pd.read_csv(results.table)["file"].tolist() == ["a.png", "a.png"]


def test_a_full_disk_is_answered_and_gone_on_from(tmp_path, monkeypatch):
    results = folder(tmp_path / "out")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with results.opened():
        results.append(rows("a.png"))
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)\. Free space"):
                results.append(rows("b.png"))
    results.table.write_bytes(results.table.read_bytes()[:-3])
    with results.opened():
        assert results.done == {"a.png"}


def test_other_predictions_are_refused(tmp_path):
    with folder(tmp_path / "out").opened():
        pass
    with pytest.raises(UserError, match=r"holds predictions of another probe \(None; now gbt\)\. Name another folder"):
        folder(tmp_path / "out", ASKED | {"probe": "gbt"}).opened().__enter__()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "predictions.csv").write_text("mine\n")
    with pytest.raises(UserError, match=r"holds a predictions\.csv of something else"):
        folder(tmp_path / "other").opened().__enter__()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        folder(tmp_path / "file").opened().__enter__()
