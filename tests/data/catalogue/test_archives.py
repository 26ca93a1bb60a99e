import io
import stat
import tarfile
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.data.catalogue.archives import Limits, unpack
from micrographia.errors import UserError

from .conftest import tarred, zipped

FILES = {"cells/a/1.png": b"one" * 1000, "cells/b/2.png": b"two", "read me.txt": b""}


def written(path, content):
    path.write_bytes(content)
    return path


def on_disk(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.zip", zipped),
        ("a.tar.gz", tarred),
        ("a.tar", lambda files: tarred(files, "w")),
        ("a.tar.xz", lambda files: tarred(files, "w:xz")),
        ("a.tar.bz2", lambda files: tarred(files, "w:bz2")),
    ],
)
def test_what_is_packed_comes_out(tmp_path, name, pack):
    litter = {"__MACOSX/._1.png": b"x", "cells/.DS_Store": b"x", "cells/a/._1.png": b"x"}
    folder = tmp_path / "set"
    sizes = unpack(written(tmp_path / name, pack(FILES | litter)), folder)
    assert on_disk(folder) == FILES
    assert sizes == {name: len(content) for name, content in FILES.items()}


def hostile_link(name, target, kind=tarfile.SYMTYPE):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def zip_with_link():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("link.png")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("a.zip", zipped({"good.png": b"x", "../outside.png": b"x"}), "would lie outside", id="zip, above"),
        pytest.param("a.zip", zipped({"/etc/outside.png": b"x"}), "would lie outside", id="zip, absolute"),
        pytest.param("a.zip", zipped({"..\\outside.png": b"x"}), "would lie outside", id="zip, backslash"),
        pytest.param("a.zip", zipped({"C:/outside.png": b"x"}), "would lie outside", id="zip, drive"),
        pytest.param("a.zip", zip_with_link(), "is no regular file", id="zip, link"),
        pytest.param(
            "a.tar.gz", tarred({"good.png": b"x", "a/../../outside.png": b"x"}), "would lie outside", id="tar, above"
        ),
        pytest.param(
            "a.tar.gz", tarred({"link": hostile_link("link", "/etc/passwd")}), "is no regular file", id="tar, link"
        ),
        pytest.param(
            "a.tar.gz",
            tarred({"link": hostile_link("link", "good.png", tarfile.LNKTYPE)}),
            "is no regular file",
            id="tar, hard link",
        ),
        pytest.param(
            "a.tar.gz",
            tarred({"pipe": hostile_link("pipe", "", tarfile.FIFOTYPE)}),
            "is no regular file",
            id="tar, pipe",
        ),
    ],
)
def test_a_hostile_archive_writes_nothing(tmp_path, name, content, message):
    folder = tmp_path / "inner" / "set"
    with pytest.raises(UserError, match=message):
        unpack(written(tmp_path / name, content), folder)
    assert list(on_disk(tmp_path)) == [name]


def test_a_bomb_stops_at_the_limits(tmp_path):
    bomb = written(tmp_path / "a.zip", zipped({"zeros.png": bytes(10**7)}))
    assert bomb.stat().st_size < 20_000
    with pytest.raises(UserError, match=r"more than 1,000,000 bytes"):
        unpack(bomb, tmp_path / "set", Limits(bytes=10**6))
    many = written(tmp_path / "b.zip", zipped({f"{number}.png": b"" for number in range(30)}))
    with pytest.raises(UserError, match=r"more than 20 files"):
        unpack(many, tmp_path / "set", Limits(files=20))
    assert sorted(on_disk(tmp_path)) == ["a.zip", "b.zip"]


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: tarred(files, "w:xz")])
@settings(max_examples=25, deadline=None)
@given(share=st.floats(0.02, 0.98))
def test_a_truncated_archive_is_answered(tmp_path_factory, pack, share):
    folder = tmp_path_factory.mktemp("truncated")
    noise = bytes(range(256)) * 40
    content = pack({"a.png": noise, "b.png": noise[::-1]})
    path = written(folder / "a.zip", content[: max(7, int(share * len(content)))])
    with pytest.raises(UserError, match=r"damaged or cut short|is no archive"):
        unpack(path, folder / "set")
    assert list(on_disk(folder)) == ["a.zip"]


@pytest.mark.parametrize("pack", [zipped, tarred])
@settings(max_examples=60, deadline=None)
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=4))
def test_damage_of_any_kind_is_answered_or_harmless(tmp_path_factory, pack, changes):
    folder = tmp_path_factory.mktemp("damaged")
    files = {"zellen/a.png": bytes(range(256)) * 3, "zellen/ü.png": b"two"}
    content = bytearray(pack(files))
    for place, change in changes:
        content[min(int(place * len(content)), len(content) - 1)] ^= change
    path = written(folder / "a.zip", bytes(content))
    with suppress(UserError):
        unpack(path, folder / "set")
        return
    assert list(on_disk(folder)) == ["a.zip"]


@pytest.mark.parametrize("name", [".", "./.", "//"])
def test_a_member_without_a_name_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="would lie outside"):
        unpack(written(tmp_path / "a.tar.gz", tarred({name: b"x"})), tmp_path / "set")


def test_changed_bytes_are_noticed(tmp_path):
    content = bytearray(zipped({"a.png": bytes(range(256)) * 40}))
    content[60] ^= 255
    with pytest.raises(UserError, match="damaged or cut short"):
        unpack(written(tmp_path / "a.zip", bytes(content)), tmp_path / "set")


def test_a_page_in_place_of_an_archive_is_answered(tmp_path):
    with pytest.raises(UserError, match=r"is a web page and no archive"):
        unpack(written(tmp_path / "a.zip", b"<html>Please log in</html>"), tmp_path / "set")


def test_a_name_that_the_disk_does_not_take_is_answered(tmp_path):
    with pytest.raises(UserError, match="damaged or cut short"):
        unpack(written(tmp_path / "a.zip", zipped({"n" * 300 + ".png": b"x"})), tmp_path / "set")
