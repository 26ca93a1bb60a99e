import os

import pytest

from micrographia.runs.fingerprint import ContentHashes
from micrographia.runs.walking import walk


@pytest.fixture
def root(tmp_path):
    for place in ("a/more", "b", ".hidden"):
        (tmp_path / "set" / place).mkdir(parents=True)
        (tmp_path / "set" / place / "0.png").write_bytes(place.encode())
    return tmp_path / "set"


def places(root, **hears):
    return [parent.relative_to(root).as_posix() for parent, _, _ in walk(root, **hears)]


def test_links_to_other_folders_are_followed_and_hidden_folders_are_not_entered(root, tmp_path):
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (root / "b" / "link").symlink_to(tmp_path / "elsewhere")
    assert places(root) == [".", "a", "a/more", "b", "b/link", "b/link/deep"]


@pytest.mark.parametrize("target", [".", "..", "a", "a/more"])
def test_a_link_that_leads_back_is_not_entered_and_told(root, target):
    link = root / "a" / "more" / "again"
    link.symlink_to((root / target).resolve())
    told = []
    assert places(root, onloop=told.append) == [".", "a", "a/more", "b"]
    assert told == [link]


def test_links_to_each_other_end(root):
    (root / "a" / "x").symlink_to(root / "b")
    (root / "b" / "y").symlink_to(root / "a")
    told = []
    found = places(root, onloop=told.append)
    assert found == [".", "a", "a/more", "a/x", "b", "b/y", "b/y/more"]
    assert told == [root / "a/x/y", root / "b/y/x"]


def test_a_pipe_counts_by_its_name_and_is_not_waited_for(root):
    before = ContentHashes().of_folder(root)
    os.mkfifo(root / "a" / "pipe.png")
    assert ContentHashes().of_folder(root) != before


def test_a_closed_folder_counts_by_its_name(root, monkeypatch):
    """The superuser, who may enter everything, cannot try it with a real folder."""
    before = ContentHashes().of_folder(root)
    scandir = os.scandir

    def refusing(path):
        if os.fspath(path).endswith("more"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    closed = ContentHashes().of_folder(root)
    assert closed != before
    (root / "a" / "more" / "0.png").unlink()
    assert ContentHashes().of_folder(root) == closed
