"""Which cells of a study's table are the best of those that they compete with."""

from collections.abc import Mapping, Sequence
from functools import partial

from micrographia.ranking import best, is_reference
from micrographia.studies.patterns import filled
from micrographia.studies.specification import Entry

Place = tuple[tuple[str, ...], tuple[str, ...]]  # of a cell: the values of its rows' keys, and of its columns'
REFERENCES = {"method": "hr", "phase": "baseline"}  # what results are held against, where no metric tells


def best_places(entry: Entry, means: Mapping[Place, float], digits: Mapping[Place, int]) -> set[Place]:
    """The cells that are the best of their rivals as they are shown; what results are held against is no rival."""
    groups: dict[tuple[str, ...], dict[Place, float]] = {}
    for place, mean in means.items():
        values = values_of(entry, place)
        wanted = direction(entry.node.get("best"), list(values.values()))
        if wanted and not is_held_against(entry, values):
            others = [value for key, value in values.items() if key not in entry.among]
            size = abs(mean) if wanted == "largest" else mean
            groups.setdefault((wanted, *others), {})[place] = size
    found: set[Place] = set()
    for (wanted, *_), rivals in groups.items():
        shown = partial(round, ndigits=max(digits[place] for place in rivals))
        found |= best(rivals, -1 if wanted == "min" else 1, shown)
    return found


def values_of(entry: Entry, place: Place) -> dict[str, str]:
    """Values of a cell's keys."""
    return dict(zip([*entry.rows, *entry.columns], [*place[0], *place[1]], strict=True))


def is_held_against(entry: Entry, values: Mapping[str, str]) -> bool:
    """Whether a cell is of the high-resolution images or the raw input, with which results are compared."""
    if not entry.patterns:
        return any(values.get(key) == value for key, value in REFERENCES.items())
    patterns = [entry.patterns[values["metric"]]] if values.get("metric") in entry.patterns else entry.patterns.values()
    return all(is_reference(filled(pattern, values)) for pattern in patterns)


def direction(best: str | Mapping[str, str] | None, values: Sequence[str]) -> str:
    """Whether the most or the least of cells with such values is best; empty where nobody says."""
    if isinstance(best, Mapping):
        return next((best[value] for value in values if value in best), "")
    return best or ""
