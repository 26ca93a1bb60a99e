"""What the runs of one sweep have in common, for loggers: told by the environment, so that launchers carry it along."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

GROUP_VARIABLE = "MICROGRAPHIA_GROUP"  # label of the sweep, tuning or study
TAGS_VARIABLE = "MICROGRAPHIA_TAGS"  # further tags, with commas between


@contextmanager
def grouped(group: str, tags: Sequence[str] = ()) -> Iterator[None]:
    """Let loggers group the runs that are made in this block; what is told already, by a study around it, is kept."""
    told = {GROUP_VARIABLE: group, TAGS_VARIABLE: ",".join(tags)}
    added = {name: value for name, value in told.items() if value and name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
