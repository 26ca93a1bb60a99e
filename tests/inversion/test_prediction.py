"""Sets of images through Trainer.predict: chunks, a killed process, bad images."""

import os
import signal
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from micrographia.devices.crew import assembled
from micrographia.errors import UserError
from micrographia.inversion.checks import flags_of
from micrographia.inversion.method import Bicubic, Supervised
from micrographia.inversion.module import InversionModule
from micrographia.inversion.prediction import superresolve
from micrographia.inversion.schedule import Schedule, Settling
from micrographia.inversion.solutions import Solutions

KEYS = torch.tensor([30, 10, 40, 15, 90, 20, 60, 50])


class Source:
    """Low-resolution images by key, which counts how often each is asked for."""

    def __init__(self, low):
        self.low = dict(zip(KEYS.tolist(), low, strict=True))
        self.asked = []

    def __call__(self, keys):
        self.asked += keys.tolist()
        return torch.stack([self.low[key] for key in keys.tolist()])


@pytest.fixture
def source(truth):
    return Source(truth[1])


@pytest.fixture
def short(build_search):
    return lambda **changes: build_search(schedule=Schedule(10), **{"chunk": 3, **changes})


def test_a_set_in_chunks_is_the_set_at_once_in_the_order_asked_for(short, problem, source, tmp_path):
    chunked = superresolve(short(), problem, source, KEYS, tmp_path)
    at_once = short().solve(problem, torch.stack(list(source.low.values())), KEYS.tolist())
    torch.testing.assert_close(chunked.codes, at_once.codes.float())
    torch.testing.assert_close(chunked.images, at_once.images.float())
    assert chunked.keys.tolist() == chunked.table["key"].tolist() == KEYS.tolist()
    pd.testing.assert_frame_equal(chunked.table, at_once.table, check_dtype=False, rtol=1e-6)
    assert len(list(tmp_path.glob("*.safetensors"))) == 3


def test_solutions_of_another_version_are_searched_anew(short, problem, source, tmp_path, monkeypatch):
    superresolve(short(), problem, source, KEYS[:4], tmp_path)
    monkeypatch.setattr("micrographia.inversion.prediction.__version__", "another")
    source.asked.clear()
    monkeypatch.setattr("micrographia.inversion.solutions.__version__", "another")
    superresolve(short(), problem, source, KEYS[:4], tmp_path)
    assert source.asked == KEYS[:4].tolist()
    source.asked.clear()
    superresolve(short(), problem, source, KEYS[:4], tmp_path)
    assert source.asked == []


def test_what_is_done_is_not_done_again(short, problem, source, tmp_path):
    class KilledError(Exception):
        pass

    def killing(keys):
        if 60 in keys.tolist():
            raise KilledError
        return source(keys)

    with pytest.raises(KilledError):
        superresolve(short(solutions=2), problem, killing, KEYS, tmp_path)
    done = list(source.asked)
    assert 0 < len(done) < len(KEYS)
    resumed = superresolve(short(solutions=2), problem, source, KEYS, tmp_path)
    assert sorted(source.asked) == sorted(KEYS.tolist())
    whole = superresolve(short(solutions=2), problem, source, KEYS, tmp_path / "whole")
    assert torch.equal(resumed.codes, whole.codes)
    pd.testing.assert_frame_equal(resumed.table, whole.table)
    again = superresolve(short(solutions=2), problem, pytest.fail, KEYS, tmp_path)
    assert torch.equal(again.images, whole.images)


def test_a_search_that_is_asked_to_end_ends_and_goes_on(short, problem, source, tmp_path):
    def ending(keys):
        if 40 in keys.tolist():
            os.kill(os.getpid(), signal.SIGTERM)
        return source(keys)

    with pytest.raises(KeyboardInterrupt):
        superresolve(short(chunk=2), problem, ending, KEYS, tmp_path)
    assert 0 < len(list(tmp_path.iterdir())) < 4  # chunks
    source.asked.clear()
    superresolve(short(chunk=2), problem, source, KEYS, tmp_path)
    assert 0 < len(source.asked) < len(KEYS)


@pytest.mark.parametrize("solutions", [1, 2])
def test_an_image_that_has_settled_outlives_the_rest_of_its_chunk(
    build_search, problem, source, tmp_path, monkeypatch, solutions
):
    method = build_search(
        schedule=Schedule(200), settling=Settling(window=5, tolerance=0.01), chunk=8, solutions=solutions
    )
    whole = superresolve(method, problem, source, KEYS, tmp_path / "whole")
    assert len(set(whole.table["steps"])) > 1
    save, source.asked = Solutions.save, []

    class KilledError(Exception):
        pass

    def save_one(part, path):
        if list(path.parent.glob("*")):
            raise KilledError
        save(part, path)

    monkeypatch.setattr(Solutions, "save", save_one)
    with pytest.raises(KilledError):
        superresolve(method, problem, source, KEYS, tmp_path / "killed")
    monkeypatch.undo()
    source.asked.clear()
    resumed = superresolve(method, problem, source, KEYS, tmp_path / "killed")
    assert 0 < len(source.asked) < len(KEYS)
    torch.testing.assert_close(resumed.codes, whole.codes, rtol=0, atol=1e-6)
    pd.testing.assert_frame_equal(resumed.table, whole.table, rtol=1e-6)


def test_a_bad_image_gets_a_flagged_row_and_the_others_are_unharmed(short, problem, source, tmp_path):
    good = superresolve(short(chunk=8, solutions=2), problem, source, KEYS, tmp_path / "good")
    source.low[10] = source.low[10].clone()
    source.low[10][1, 2, 2] = torch.nan
    source.low[15] = torch.full_like(source.low[15], 0.25)
    source.low[20] = source.low[20] * 4095
    source.low[60] = source.low[60].clone()
    source.low[60][0, :2] = 1.0
    source.low[50] = source.low[50].clone()
    source.low[50][1] = 0.0
    mixed = superresolve(short(chunk=8, solutions=2), problem, source, KEYS, tmp_path / "mixed")

    flags = mixed.table.groupby("key")["flag"].first()
    assert flags[10] == "NaN pixels"
    assert flags[15] == "constant"
    assert flags[20] == "values far outside 0..1"
    assert flags[60].startswith("saturated")
    assert flags[50].startswith("constant channel")
    assert len(mixed.table) == 16
    lost = torch.isin(KEYS, torch.tensor([10, 15, 20]))
    assert mixed.images[lost].isnan().all()
    assert mixed.codes[lost].isnan().all()
    assert mixed.table.set_index("key").loc[[10, 15, 20], ["loss", "lr_residual", "log_p"]].isna().all(axis=None)
    assert mixed.images[~lost].isfinite().all()
    same = torch.isin(KEYS, torch.tensor([30, 40, 90]))
    torch.testing.assert_close(mixed.codes[same], good.codes[same], rtol=0, atol=1e-6)
    columns = ["loss", "lr_residual", "flag"]
    pd.testing.assert_frame_equal(
        mixed.table.set_index("key").loc[[30, 40, 90], columns], good.table.set_index("key").loc[[30, 40, 90], columns]
    )


def test_a_set_of_which_nothing_can_be_searched_is_answered(short, problem, source, tmp_path):
    with pytest.raises(UserError, match=r"none of the 8 .* can be searched: NaN pixels \(8\)"):
        superresolve(short(solutions=2), problem, lambda keys: source(keys) * torch.nan, KEYS, tmp_path)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 4, 4), "have 3 channels, the generator 2"),
        ((2, 32, 32), "32 x 32 px are larger than the generator's 16 px"),
        (
            (2, 8, 8),
            "are 8 x 8 px; the degradation makes 4 x 4 of the generator's 16: set degradation.steps.reduce.factor",
        ),
    ],
)
def test_images_that_do_not_fit_are_answered(short, problem, tmp_path, shape, message):
    with pytest.raises(UserError, match=message):
        superresolve(short(), problem, lambda keys: torch.rand(len(keys), *shape), KEYS, tmp_path)


def test_flags_are_of_the_image_alone():
    low = torch.rand(4, 2, 4, 4)
    low[2, 0, 0, 0] = torch.inf
    assert flags_of(low) == ["", "", "NaN pixels", ""]


def test_progress_ends_with_all_images(short, problem, source, tmp_path):
    seen = []
    superresolve(short(), problem, source, KEYS, tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert {total for _, total in seen} == {8}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == 8


def test_damaged_solutions_are_answered(short, problem, source, tmp_path):
    superresolve(short(), problem, source, KEYS, tmp_path)
    file = tmp_path / "30.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(UserError, match=r"30\.safetensors: not readable"):
        superresolve(short(), problem, source, KEYS, tmp_path)


def test_solutions_are_read_back_as_they_were(short, problem, source, tmp_path):
    found = InversionModule(short(solutions=2), problem.float()).solve(source(KEYS).float(), KEYS)
    found.save(tmp_path / "file.safetensors")
    read = Solutions.load(tmp_path / "file.safetensors")
    assert torch.equal(read.images, found.images)
    assert torch.equal(read.codes, found.codes)
    pd.testing.assert_frame_equal(read.table, found.table, check_dtype=False, check_exact=True)


def test_bicubic_of_a_ramp_is_the_ramp(problem):
    ramp = torch.linspace(0.1, 0.9, 16, dtype=torch.float64).expand(1, 2, 16, 16)
    found = Bicubic("bicubic").solve(problem, problem.degrade(ramp), [0])
    inside = slice(6, -6)
    torch.testing.assert_close(found.images[0, 0][..., inside], ramp[0][..., inside], atol=1e-6, rtol=0)
    assert found.codes is None
    assert found.table["log_p"].isna().all()
    assert found.table["lr_residual"].iloc[0] < 0.03


def test_methods_without_codes_through_the_same_door(problem, source, tmp_path):
    network = torch.nn.Sequential(torch.nn.Upsample(scale_factor=4), torch.nn.Conv2d(2, 2, 1, bias=False))
    torch.nn.init.dirac_(network[1].weight)  # the pixels as they are, larger
    for method in (Bicubic("bicubic", chunk=3), Supervised("supervised", network, chunk=3)):
        source.low[10] = torch.full_like(source.low[10], torch.nan)
        found = superresolve(method, problem, source, KEYS, tmp_path / method.name)
        assert found.codes is None
        assert found.images.shape == (8, 1, 2, 16, 16)
        assert found.table["flag"].tolist() == ["", "NaN pixels", *[""] * 6]
    wrong = Supervised("supervised", torch.nn.Conv2d(2, 2, 1))
    of_three = Supervised("supervised", torch.nn.Conv2d(3, 2, 1))
    for method in (wrong, of_three):
        with pytest.raises(UserError, match=r"methods\.supervised\.network: it makes no images of shape \(2, 16, 16\)"):
            method.check(problem)


@pytest.fixture(scope="module")
def crew():
    """Two processes for all tests, as for all methods of a run."""
    before = list(sys.path)
    sys.path.append(str(Path(__file__).parents[2]))  # where others find this module
    trainer = {"devices": 2, "nodes": 1, "backend": None, "timeout": 60}
    try:
        with assembled({"accelerator": "cpu", "threads": 1, "trainer": trainer}) as crew:
            yield crew
    finally:
        sys.path[:] = before


def asked(folder):
    """Keys that all processes have asked for."""
    return [int(key) for file in folder.iterdir() for key in file.read_text().split()]


class NotingSource:
    """Low-resolution images by key; each process writes down for which it is asked, and one of them may be killed."""

    def __init__(self, source, folder, deadly=None):
        folder.mkdir()
        self.source, self.folder, self.deadly = source, folder, deadly

    def __call__(self, keys):
        if self.deadly in keys.tolist():
            os.kill(os.getpid(), signal.SIGKILL)
        with (self.folder / str(os.getpid())).open("a") as file:
            file.writelines(f"{key}\n" for key in keys.tolist())
        return self.source(keys)


def test_two_processes_share_the_images(short, problem, source, tmp_path, crew):
    one = superresolve(short(), problem, source, KEYS, tmp_path / "one")
    noting = NotingSource(source, tmp_path / "asked")
    two = superresolve(short(), problem, noting, KEYS, tmp_path / "two", crew=crew)
    assert len(list((tmp_path / "asked").iterdir())) == 2
    assert sorted(asked(tmp_path / "asked")) == sorted(KEYS.tolist())
    assert two.keys.tolist() == KEYS.tolist()
    torch.testing.assert_close(one.codes, two.codes, rtol=0, atol=1e-6)
    pd.testing.assert_frame_equal(one.table, two.table, rtol=1e-6)
    again = superresolve(short(), problem, pytest.fail, KEYS, tmp_path / "two", crew=crew)
    assert torch.equal(again.codes, two.codes)


@pytest.mark.slow
def test_what_a_killed_process_leaves_is_searched_once(short, problem, source, tmp_path, crew):
    killing = NotingSource(source, tmp_path / "first", deadly=60)
    with pytest.raises(UserError, match=r"process 1 of 2 has ended .* \(signal 9\)"):
        superresolve(short(chunk=2), problem, killing, KEYS, tmp_path / "run", crew=crew)
    done = asked(tmp_path / "first")
    assert 0 < len(done) < len(KEYS)
    found = superresolve(
        short(chunk=2), problem, NotingSource(source, tmp_path / "then"), KEYS, tmp_path / "run", crew=crew
    )
    assert sorted(done + asked(tmp_path / "then")) == sorted(KEYS.tolist())
    whole = superresolve(short(), problem, source, KEYS, tmp_path / "whole")
    torch.testing.assert_close(found.codes, whole.codes, rtol=0, atol=1e-6)
