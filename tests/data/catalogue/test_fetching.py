import hashlib
import json
import threading

import pytest

from micrographia.data.catalogue.fetching import RECORD, Record, fetch, lies_there_by_hand
from micrographia.data.catalogue.public_set import Download, PublicSet
from micrographia.errors import UserError

from .conftest import png, zipped

CELLS = {f"cells/{kind}/{number}.png": png(number) for kind in ("round", "long") for number in range(2)}
TABLE = b"file,class\n"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def public(server):
    """A set of an archive whose checksum is known, and of a table whose checksum is not."""
    server.files = {"cells.zip": zipped(CELLS), "cells.csv": TABLE}
    return PublicSet(
        name="made/up",
        about="cells of a test",
        folder="made/up",
        page="https://example.org",
        licence="CC0",
        citation="nobody",
        layout="cells/<class>/<number>.png",
        preparation="none",
        downloads=(
            Download(server.address("cells.zip?raw=true"), sha256(server.files["cells.zip"])),
            Download(server.address("cells.csv"), into="tables"),
        ),
    )


def here(folder):
    """Files of a folder, hidden ones left out."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in names if not name.rpartition("/")[2].startswith("."))


def test_a_set_is_fetched_once(public, server, tmp_path):
    folder = fetch(public, tmp_path)
    assert folder == tmp_path / "made/up"
    assert here(folder) == sorted([*CELLS, "tables/cells.csv"])
    assert (folder / "cells/round/1.png").read_bytes() == png(1)
    assert server.asked == ["cells.zip", "cells.csv"]
    fetch(public, tmp_path)
    assert len(server.asked) == 2
    assert not list((tmp_path / ".downloads").rglob("*.zip"))


def test_a_record_keeps_sizes_and_checksums_of_files(public, tmp_path):
    folder = fetch(public, tmp_path)
    assert Record.load(folder).files() == {
        **{name: (len(content), sha256(content)) for name, content in CELLS.items()},
        "tables/cells.csv": (len(TABLE), sha256(TABLE)),
    }
    record = json.loads((folder / RECORD).read_text())
    for entry in record["downloads"].values():
        del entry["hashes"]  # as former versions wrote it
    (folder / RECORD).write_text(json.dumps(record))
    files = Record.load(folder).files()
    assert files["cells/long/0.png"] == (len(CELLS["cells/long/0.png"]), None)
    assert files["tables/cells.csv"].sha256 == sha256(TABLE)


def test_what_was_lost_is_fetched_again(public, server, tmp_path):
    folder = fetch(public, tmp_path)
    (folder / "tables/cells.csv").unlink()
    (folder / "cells/long/0.png").write_bytes(b"changed")
    fetch(public, tmp_path)
    assert server.asked == ["cells.zip", "cells.csv"] * 2
    assert (folder / "cells/long/0.png").read_bytes() == png(0)


def test_archives_may_be_kept(public, server, tmp_path):
    fetch(public, tmp_path, keep=True)
    assert here(tmp_path / ".downloads") == ["made/up/cells.csv", "made/up/cells.zip"]


def test_a_cut_connection_is_tried_again(public, server, tmp_path):
    server.cut["cells.zip"] = (100, 1)
    folder = fetch(public, tmp_path)
    assert server.asked == ["cells.zip", "cells.zip", "cells.csv"]
    assert len(here(folder)) == 5


@pytest.mark.parametrize("name", ["cells.zip", "cells.csv"])
def test_a_connection_that_is_always_cut_leaves_nothing_half_and_goes_on_later(public, server, tmp_path, name):
    server.cut[name] = (3, 99)
    with pytest.raises(UserError, match=rf"{name}.*: cannot be fetched .* fetch it by hand from https://example.org"):
        fetch(public, tmp_path)
    folder = tmp_path / "made/up"
    assert not any(name.endswith(path.rpartition("/")[2]) for path in here(folder))
    server.cut.clear()
    server.asked.clear()
    fetch(public, tmp_path)
    assert server.asked == (["cells.zip", "cells.csv"] if name == "cells.zip" else ["cells.csv"])
    assert len(here(folder)) == 5


def test_another_checksum_than_the_known_one_is_refused(public, server, tmp_path):
    server.files["cells.zip"] = zipped(CELLS | {"cells/round/evil.png": b"x"})
    with pytest.raises(UserError, match=r"cells\.zip.*: is not the file that was expected: its SHA-256"):
        fetch(public, tmp_path)
    assert not here(tmp_path)


def test_a_checksum_is_recorded_at_first_and_checked_ever_after(public, server, tmp_path):
    folder = fetch(public, tmp_path)
    assert Record.load(folder).downloads["cells.csv"]["sha256"] == sha256(TABLE)
    (folder / "tables/cells.csv").unlink()
    server.files["cells.csv"] = b"file,class\nother.png,round\n"
    with pytest.raises(UserError, match=r"cells\.csv: is not the file .* fetch made/up accept=cells\.csv\."):
        fetch(public, tmp_path)
    with pytest.raises(UserError, match=r"cells\.csv: is not the file"):
        fetch(public, tmp_path, accept="cells.zip")
    fetch(public, tmp_path, accept="cells.csv")
    assert (folder / "tables/cells.csv").read_bytes() == server.files["cells.csv"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda good: good[: len(good) // 2], r"cut\.zip: is damaged or cut short"),
        (lambda good: b"<html>Sign in to this network</html>", r"cut\.zip: is a web page and no archive"),
        (lambda good: zipped({"../evil.png": b"x"}), r"cut\.zip: its member '../evil\.png' would lie outside"),
    ],
)
def test_a_bad_download_does_not_stand_in_the_way_of_the_good_one(public, server, tmp_path, bad, message):
    good = zipped(CELLS)
    wanted = [Download(server.address("cut.zip"))]
    server.files["cut.zip"] = bad(good)
    with pytest.raises(UserError, match=message + ".*Try again, or fetch it by hand from https://example"):
        fetch(public, tmp_path, wanted)
    folder = tmp_path / "made/up"
    assert not here(tmp_path)
    assert not lies_there_by_hand(folder)
    server.files["cut.zip"] = good
    assert here(fetch(public, tmp_path, wanted)) == sorted(CELLS)
    assert server.asked == ["cut.zip"] * 2
    assert Record.load(folder).downloads["cut.zip"]["sha256"] == sha256(good)


def test_a_page_in_place_of_a_table_is_not_taken_for_it(public, server, tmp_path):
    server.files["cells.csv"] = b"\n<!DOCTYPE html><html>moved</html>"
    with pytest.raises(UserError, match=r"cells\.csv: shows a web page, not cells\.csv\. Try again"):
        fetch(public, tmp_path)
    server.files["cells.csv"] = TABLE
    assert (fetch(public, tmp_path) / "tables/cells.csv").read_bytes() == TABLE


def test_a_bad_download_that_was_accepted_keeps_the_former_checksum(public, server, tmp_path):
    wanted = [Download(server.address("other.zip"))]
    server.files["other.zip"] = good = zipped(CELLS)
    folder = fetch(public, tmp_path, wanted)
    (folder / "cells/long/0.png").unlink()
    server.files["other.zip"] = good[:-30]
    with pytest.raises(UserError, match="damaged or cut short"):
        fetch(public, tmp_path, wanted, accept="other.zip")
    server.files["other.zip"] = zipped(CELLS | {"cells/long/9.png": b"x"})
    with pytest.raises(UserError, match="is not the file that was expected"):
        fetch(public, tmp_path, wanted)
    server.files["other.zip"] = good
    assert here(fetch(public, tmp_path, wanted)) == sorted(CELLS)


def test_a_missing_file_and_a_silent_server_are_answered(public, server, tmp_path):
    del server.files["cells.csv"]
    with pytest.raises(UserError, match=r"cells\.csv: the server answers 404\. Try again, or fetch it by hand"):
        fetch(public, tmp_path)
    nobody = Download("http://127.0.0.1:9/other.zip")
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9/other\.zip: cannot be fetched \(.*refused"):
        fetch(public, tmp_path, [nobody])


def test_a_hostile_archive_is_not_unpacked(public, server, tmp_path):
    server.files["evil.zip"] = zipped({"../../evil.png": b"x"})
    with pytest.raises(UserError, match="would lie outside"):
        fetch(public, tmp_path / "data", [Download(server.address("evil.zip"))])
    assert not list(tmp_path.rglob("evil.png"))


def test_what_must_be_fetched_by_hand_says_where_and_whereto(tmp_path):
    public = PublicSet("a/b", "", "a/b", "", "", "", "", "", by_hand="Download cells.7z from https://example.org.")
    with pytest.raises(UserError, match=r"Download cells\.7z from https://example\.org\. Put it into .*a/b"):
        fetch(public, tmp_path)


def test_too_small_a_disk_is_answered_before_anything_is_fetched(public, server, tmp_path):
    huge = Download(server.address("cells.csv"), size=10**18)
    with pytest.raises(UserError, match=r"needs about .* GB, .* has .* GB\. Set how\.paths\.data"):
        fetch(public, tmp_path, [huge])
    assert server.asked == []


def test_a_damaged_record_is_answered(public, tmp_path):
    folder = fetch(public, tmp_path)
    (folder / RECORD).write_text("{")
    with pytest.raises(UserError, match=r"\.fetched\.json: is damaged"):
        fetch(public, tmp_path)
    for content in ({"other": 1}, {"downloads": []}, {"downloads": {"a.zip": 3}}, {"downloads": {"a.zip": {}}}):
        (folder / RECORD).write_text(json.dumps(content))
        with pytest.raises(UserError, match=r"\.fetched\.json: is damaged"):
            fetch(public, tmp_path)


def test_a_folder_that_cannot_be_made_is_answered(public, tmp_path):
    (tmp_path / "made").write_text("a file in the way")
    with pytest.raises(UserError, match=r"made.*: cannot be written .* set how\.paths\.data=FOLDER"):
        fetch(public, tmp_path)


def test_a_process_that_is_killed_while_it_unpacks_leaves_no_set_that_looks_whole(public, tmp_path, monkeypatch):
    class KilledError(Exception):
        pass

    def half(download, path, folder, keep, limits):
        (folder / "half.png").write_bytes(b"x")
        raise KilledError

    monkeypatch.setattr("micrographia.data.catalogue.fetching.placed", half)
    with pytest.raises(KilledError):
        fetch(public, tmp_path)
    assert not lies_there_by_hand(tmp_path / "made/up")
    monkeypatch.undo()
    assert len(here(fetch(public, tmp_path))) == 6


def test_two_processes_keep_one_record(public, server, tmp_path):
    errors = []

    def one_of(download):
        try:
            fetch(public, tmp_path, [download])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one_of, args=(download,)) for download in public.downloads * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(Record.load(tmp_path / "made/up").downloads) == ["cells.csv", "cells.zip"]
    assert sorted(server.asked) == ["cells.csv", "cells.zip"]


def test_bars_are_closed_whatever_happens(public, server, tmp_path):
    closed = []

    class Bar:
        total = 0

        def __init__(self, name):
            self.name = name

        def update(self, count):
            pass

        def reset(self):
            pass

        def close(self):
            closed.append(self.name)

    server.cut["cells.csv"] = (3, 99)
    with pytest.raises(UserError):
        fetch(public, tmp_path, bar=Bar)
    assert set(closed) == {"cells.zip", "cells.csv"}


def test_progress_is_told_of_each_file(public, tmp_path):
    class Bar:
        def __init__(self, name):
            self.name, self.total, self.done = name, 0, 0
            bars.append(self)

        def update(self, count):
            self.done += count

        def reset(self):
            self.done = 0

        def close(self):
            pass

    bars = []
    fetch(public, tmp_path, bar=Bar)
    assert [bar.name for bar in bars] == ["cells.zip", "cells.csv"]
    assert all(bar.total == bar.done > 0 for bar in bars)


def test_a_set_is_prepared_after_it_was_fetched(public, tmp_path):
    from dataclasses import replace

    prepared = replace(public, prepare=lambda folder: (folder / "ready.csv").write_text(str(len(here(folder)))))
    folder = fetch(prepared, tmp_path)
    assert (folder / "ready.csv").read_text() == "5"
