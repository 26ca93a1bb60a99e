from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.errors import UserError
from micrographia.runs.address import composed
from micrographia.studies.composition import Composer
from micrographia.studies.estimate import seconds_left
from micrographia.studies.expansion import StudyJob, expand, plan, products, swept_keys

JOBS = [tuple(job) for job in product(["a=0", "a=1", "a=2"], ["b=0", "b=1"], ["c=0", "c=1", "c=2"])]


def test_values_are_multiplied_as_hydra_does():
    assert expand(["model=cnn,beta_vae", "seed=range(0,2)"]) == [
        ("model=cnn", "seed=0"),
        ("model=cnn", "seed=1"),
        ("model=beta_vae", "seed=0"),
        ("model=beta_vae", "seed=1"),
    ]
    assert expand(["classes=[a,b],[c]"]) == [("classes=[a,b]",), ("classes=[c]",)]


@pytest.mark.parametrize("override", ["seed=range(0,0)", "seed=[1", "seed"])
def test_what_gives_no_job_is_answered(override):
    with pytest.raises(UserError, match="sweep cells: "):
        expand([override], "cells")


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(JOBS), unique=True))
def test_what_is_left_is_launched_exactly(left):
    assert sorted(job for sweep in products(left) for job in expand(sweep)) == sorted(left)


def test_a_tail_of_a_sweep_takes_few_launches():
    assert len(products(JOBS)) == 1
    assert len(products(JOBS[7:])) <= 3


def test_the_command_line_comes_last(study, content):
    content["sweeps"]["scored"] = {"verb": "evaluate", "of": "cells", "overrides": ["samples=100"]}
    found = study(content)
    cells, scored = plan(found, found.budget("smoke"), ["seed=5,6", "hydra/launcher=joblib", "how.threads=1"])
    assert [job.overrides for job in cells.jobs] == [
        ("images=1", "seed=5", "how.threads=1"),
        ("images=1", "seed=6", "how.threads=1"),
    ]
    assert [plan.hydra[-1] for plan in (cells, scored)] == ["hydra/launcher=joblib"] * 2
    assert [job.overrides for job in scored.jobs] == [("samples=100", "how.threads=1")] * 2
    assert [job.choices["seed"] for job in scored.jobs] == ["5", "6"]
    assert swept_keys(cells.jobs) == ["seed"]


def test_composing_for_many_is_composing_each():
    compose = Composer("superresolve")
    for overrides in (
        ["images=2", "methods.rls.schedule.steps=7", "seed=3"],
        ["images=2", "methods.rls.schedule.steps=8", "seed=4"],
        ["+inversion@methods.pulse=pulse", "methods.pulse.lr=0.2", "data=synthetic/golgi", "data.size=32"],
    ):
        assert compose(overrides) == composed("superresolve", overrides)


def test_a_key_that_does_not_exist_is_hydra_s_error():
    from hydra.errors import HydraException

    with pytest.raises(HydraException, match="Could not override 'imags'"):
        Composer("superresolve")(["imags=2"])


def test_time_left_follows_the_sweep_s_own_jobs(job):
    left = StudyJob("cells", "superresolve", ("seed=1",))
    other = StudyJob("golgi", "superresolve", ("seed=1",))
    assert seconds_left([job("seed=0"), left, left]) == 120
    assert seconds_left([job("seed=0"), left, other]) is None
    assert seconds_left([job("seed=0"), left, other], about=6) == 60 + 120
    assert seconds_left([job("seed=0")]) == 0
