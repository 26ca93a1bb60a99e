"""Every shipped study: its file, its comments, and every job of it."""

import re

import pytest

from micrographia.errors import UserError
from micrographia.studies.composition import Composer
from micrographia.studies.expansion import plan
from micrographia.studies.gathering import check_keys
from micrographia.studies.reading import read_study, study_files
from micrographia.tasks.study_jobs import look_up

FILES = study_files()
BUDGETS = [(name, budget) for name in FILES for budget in read_study(FILES[name]).budgets]
MOST = 12  # jobs of a sweep that are composed: the first, the last and some between


@pytest.mark.parametrize("name", FILES)
def test_a_study_has_its_budgets_and_says_how_long_the_smallest_takes(name):
    study = read_study(FILES[name])
    assert list(study.budgets) == ["smoke", "standard", "paper"][: len(study.budgets)]
    assert study.budget("smoke").about is not None
    assert study.budget("smoke").about <= 15
    assert study.question.endswith("?")
    assert study.result


@pytest.mark.parametrize("name", FILES)
def test_every_key_of_a_study_has_a_comment(name):
    text = re.sub(r"^labels:.*?(?=^\S)", "", FILES[name].read_text(), flags=re.M | re.S)  # each explains itself
    keys = [line for line in text.splitlines() if re.match(r"\s*(- )?[\w]+:(\s|$)", line)]
    assert [line for line in keys if " # " not in line] == []


@pytest.mark.parametrize(("name", "budget"), BUDGETS, ids=[f"{name}-{budget}" for name, budget in BUDGETS])
def test_every_sweep_of_every_budget_composes(name, budget):
    study = read_study(FILES[name])
    plans = plan(study, study.budget(budget))
    sampled = [sweep.jobs[:: -(-len(sweep.jobs) // MOST)] + sweep.jobs[-1:] for sweep in plans if not sweep.of]
    for jobs in sampled:
        look_up(jobs)
    for sweep in plans:
        if sweep.of:  # runs of another sweep, which are not there: the rest of its overrides
            Composer(sweep.verb)(sweep.jobs[0].overrides)
    check_keys(study, [job for jobs in sampled for job in jobs])


@pytest.mark.parametrize("name", FILES)
def test_a_smoke_budget_needs_nothing_that_is_not_there(name):
    study = read_study(FILES[name])
    for sweep in plan(study, study.budget("smoke")):
        if not sweep.of:
            look_up(sweep.jobs[:1])
            assert sweep.jobs[0].obstacle == ""


def test_a_study_that_names_no_preset_is_refused(tmp_path):
    text = FILES["drl_transfer"].read_text().replace("drl/simulated_yeast", "drl/simulated_mould")
    (tmp_path / "own.yaml").write_text(text)
    study = read_study(tmp_path / "own.yaml")
    (sweep,) = plan(study, study.budget("smoke"))
    with pytest.raises(UserError, match="sweep pixels: experiment=drl/simulated_mould: no such choice"):
        look_up(sweep.jobs)
