"""Which of several values are the best: one rule for pages and for the tables of studies."""

import math
from collections.abc import Callable, Hashable, Mapping
from fnmatch import fnmatch
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)

# Metrics of what results are held against, which wins nothing: high-resolution images, the raw input of a classifier.
REFERENCES = ("*/hr", "probe/*/baseline/*")


def is_reference(metric: str) -> bool:
    """Whether a metric is of what results are held against.

    Examples
    --------
    >>> [is_reference(name) for name in ("assay/auc/hr", "probe/gbt/baseline/balanced_accuracy", "image/psnr/baseline")]
    [True, True, False]
    """
    return any(fnmatch(metric, pattern) for pattern in REFERENCES)


def leaders(values: Mapping[Name, float], sign: int, shown: Callable[[float], Hashable] = float) -> dict[Name, float]:
    """The best of several values, and those that look like it.

    Parameters
    ----------
    sign
        1 where more is better, -1 where less is.
    shown
        What a reader sees of a value: what looks alike is alike.

    Examples
    --------
    >>> leaders({"a": 0.9996, "b": 1.0, "c": 0.5}, 1, "{:.2f}".format), leaders({"a": math.nan}, 1)
    ({'a': 0.9996, 'b': 1.0}, {})
    """
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    if not finite:
        return {}
    top = shown(max(finite.values(), key=lambda value: sign * value))
    return {name: value for name, value in finite.items() if shown(value) == top}


def best(values: Mapping[Name, float], sign: int, shown: Callable[[float], Hashable] = float) -> set[Name]:
    """Names of the best of several values; none where neither is better (a sign of 0), or all look alike.

    Examples
    --------
    >>> best({"a": 1.0, "b": 2.0}, 1), best({"a": 1.0, "b": 2.0}, -1), best({"a": 1.0, "b": 1.0}, 1)
    ({'b'}, {'a'}, set())
    """
    finite = sum(map(math.isfinite, values.values()))
    found = leaders(values, sign, shown) if sign else {}
    return set(found) if len(found) < finite else set()
