"""The pages of studies in ``docs/reports``, against the studies as they are now."""

import html
from pathlib import Path

import pytest

from micrographia.search_path import study_files
from micrographia.studies.expansion import plan
from micrographia.studies.reading import read_study

PAGES = sorted((Path(__file__).parents[2] / "docs" / "reports").glob("*.html"))


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_committed_page_is_of_its_study_as_it_is_now(page):
    study, text = read_study(study_files()[page.stem]), html.unescape(page.read_text(encoding="utf-8"))
    assert study.question in text
    for sweep in plan(study, study.budgets["smoke"]):
        for job in sweep.jobs:
            assert [override for override in job.overrides if override not in text] == []
    headings = [name for entry in study.result for name, pattern in entry.patterns.items() if name != pattern]
    assert [name for name in headings if name not in text] == []


def test_both_jobs_have_a_page():
    assert {page.stem.partition("_")[0] for page in PAGES} == {"drl", "rls"}
