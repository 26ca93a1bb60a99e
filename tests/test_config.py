from functools import partial
from typing import Literal

import pytest

from micrographia.config import instantiate
from micrographia.errors import UserError


class Sampler:
    """Target of the test configs."""

    def __init__(
        self,
        count: int,
        rate: float = 0.5,
        kind: Literal["a", "b"] = "a",
        note: str | None = None,
        given: object = None,
    ):
        if count < 0:
            raise ValueError("count must not be negative")
        self.count, self.rate, self.kind, self.note, self.given = count, rate, kind, note, given


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    import sys
    import types

    module = types.ModuleType("sampler_for_tests")
    module.Sampler = Sampler
    monkeypatch.setitem(sys.modules, "sampler_for_tests", module)


NODE = {"_target_": "sampler_for_tests.Sampler", "count": 3}


def test_builds_the_target_and_hands_objects_over_uncopied():
    thing = object()
    made = instantiate(NODE, "sampler", given=thing)
    assert (made.count, made.rate, made.given) == (3, 0.5, thing)
    assert made.given is thing


def test_a_partial_stays_one():
    made = instantiate({**NODE, "_partial_": True}, "sampler")
    assert isinstance(made, partial)
    assert made(rate=1).rate == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cuont": 1}, r"sampler\.cuont: no such key.*count, given, kind, note, rate"),
        ({"count": "three"}, r"sampler\.count=three: expected a whole number"),
        ({"count": True}, r"sampler\.count=True: expected a whole number"),
        ({"rate": "fast"}, r"sampler\.rate=fast: expected a number"),
        ({"kind": "c"}, r"sampler\.kind=c: expected one of a, b"),
        ({"note": 4}, r"sampler\.note=4: expected text or null"),
        ({"count": -1}, r"sampler: count must not be negative"),
        ({"_target_": "nowhere.Sampler"}, r"sampler\._target_: nowhere\.Sampler cannot be imported"),
    ],
)
def test_mistakes_are_answered_with_key_and_choices(change, message):
    with pytest.raises(UserError, match=message):
        instantiate({**NODE, **change}, "sampler")


@pytest.mark.parametrize("change", [{"rate": 1}, {"note": None}, {"kind": "b"}])
def test_fitting_values_are_accepted(change):
    instantiate({**NODE, **change}, "sampler")
