from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal, TypedDict

import pytest

from micrographia.config import Between, check_value, instantiate
from micrographia.errors import UserError


class Sampler:
    """Target of the test configs."""

    def __init__(
        self,
        count: int,
        rate: float = 0.5,
        kind: Literal["a", "b"] = "a",
        note: str | None = None,
        share: Annotated[float, Between(0, 1)] | None = None,
        parts: dict[str, int] | None = None,
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
        ({"cuont": 1}, r"sampler\.cuont: no such key.*count, given, kind, note, parts, rate, share"),
        ({"count": "three"}, r"sampler\.count=three: expected a whole number"),
        ({"count": True}, r"sampler\.count=true: expected a whole number"),
        ({"rate": "fast"}, r"sampler\.rate=fast: expected a number"),
        ({"kind": "c"}, r"sampler\.kind=c: expected one of a, b"),
        ({"note": 4}, r"sampler\.note=4: expected text or null"),
        ({"share": 1.5}, r"sampler\.share=1\.5: expected a number from 0 to 1 or null"),
        ({"share": float("nan")}, r"sampler\.share=nan: expected a number from 0 to 1 or null"),
        ({"count": None}, r"sampler\.count=null: expected a whole number"),
        ({"parts": 3}, r"sampler\.parts=3: expected keys with values"),
        ({"count": -1}, r"sampler: count must not be negative"),
        ({"_target_": "nowhere.Sampler"}, r"sampler\._target_: nowhere\.Sampler cannot be imported"),
    ],
)
def test_mistakes_are_answered_with_key_and_choices(change, message):
    with pytest.raises(UserError, match=message):
        instantiate({**NODE, **change}, "sampler")


@pytest.mark.parametrize("change", [{"rate": 1}, {"note": None}, {"kind": "b"}, {"share": 1}, {"parts": {"a": 1}}])
def test_fitting_values_are_accepted(change):
    instantiate({**NODE, **change}, "sampler")


class Inner(TypedDict):
    depth: Annotated[int, Between(1)]


class Outer(TypedDict):
    width: int
    inner: Inner


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (3, r"^outer=3: expected the keys width, inner\.$"),
        ({"width": 1, "inner": {"depth": 0}}, r"^outer\.inner\.depth=0: expected a whole number from 1 on\.$"),
        ({"width": 1, "inner": {"depht": 1}}, r"^outer\.inner\.depht: no such key\. outer\.inner takes: depth\.$"),
        ({"width": 1}, r"^outer\.inner: no value given"),
    ],
)
def test_declared_keys_are_compared_by_name_and_value(node, message):
    with pytest.raises(UserError, match=message):
        check_value(node, Outer, "outer")
    check_value({"width": 1, "inner": {"depth": 1}}, Outer, "outer")


@pytest.mark.parametrize("hint", [Callable[[], int] | None, object | None])
def test_a_node_stands_for_the_function_or_object_that_is_made_of_it(hint):
    check_value({"_target_": "builtins.int", "_partial_": True}, hint, "key")
    check_value(None, hint, "key")
    with pytest.raises(UserError, match=r"key=3: expected"):
        check_value(3, hint, "key")
