import pytest

from micrographia.errors import UserError
from micrographia.runs.writing import remove_partial_files, write_atomically


def test_an_interrupted_write_leaves_the_former_file(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("former")

    def fail(part):
        part.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"result\.json: cannot be written \(No space left on device\)"):
        write_atomically(path, fail)
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_removed(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / ".scores.77.part.csv").write_text("half")
    (tmp_path / "result.json").write_text("whole")
    remove_partial_files(tmp_path)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["result.json"]
