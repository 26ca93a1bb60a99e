import pytest

from micrographia.errors import UserError
from micrographia.studies.reading import find_study
from micrographia.studies.specification import merged


def test_a_budget_takes_the_place_of_the_sweep_s_overrides(study, content):
    content["overrides"] = ["part=val"]
    content["budgets"]["smoke"]["all"] = ["seed=0,1", "part=test"]
    found = study(content)
    assert found.name == "own"
    assert found.budget("smoke").overrides == {"cells": ("part=test", "images=1", "seed=0,1")}
    assert found.budget("smoke").about == 3
    assert found.budget("paper").overrides == {"cells": ("part=val", "images=8", "seed=0,1,2")}


def test_a_budget_may_leave_sweeps_out(study, content):
    content["sweeps"]["golgi"] = {"verb": "superresolve", "overrides": ["seed=0"]}
    content["budgets"]["smoke"]["sweeps"] = ["golgi"]
    assert list(study(content).budget("smoke").overrides) == ["golgi"]


def test_signs_of_overrides_are_no_part_of_the_key():
    assert merged(["+extra=1", "extra=2", "~probes.mlp"]) == ("extra=2", "~probes.mlp")


CHANGES = {
    "no question": (lambda c: c.pop("question"), r"question: no value given"),
    "unknown key": (lambda c: c.update(sweep={}), r"sweep: no such key.*budgets, labels, overrides, question"),
    "no sweep": (lambda c: c.update(sweeps={}), r"sweeps: is empty"),
    "no result": (lambda c: c.update(result=[]), r"result: is empty"),
    "unknown verb": (lambda c: c["sweeps"]["cells"].update(verb="learn"), r"sweeps\.cells\.verb=learn: no such verb"),
    "no overrides": (lambda c: c["sweeps"]["cells"].pop("overrides"), r"sweeps\.cells\.overrides: no value given"),
    "reserved": (lambda c: c["sweeps"].update(all=c["sweeps"]["cells"]), r"sweeps\.all: .* keys of a budget"),
    "of nothing": (
        lambda c: c["sweeps"].update(scored={"verb": "evaluate", "of": "none", "overrides": []}),
        r"sweeps\.scored\.of=none: no sweep of that name",
    ),
    "of by another verb": (lambda c: c["sweeps"]["cells"].update(of="cells"), r"sweeps\.cells: evaluate takes"),
    "unknown sweep": (lambda c: c["budgets"]["smoke"].update(cell=[]), r"budgets\.smoke\.cell: no such sweep"),
    "about": (lambda c: c["budgets"]["smoke"].update(about="long"), r"budgets\.smoke\.about=long: expected a number"),
    "neither": (lambda c: c["result"][0].pop("table"), r"result\[0\]: expected a table"),
    "no rows": (lambda c: c["result"][0].pop("rows"), r"result\.fidelity\.rows: name the keys"),
    "no metrics": (lambda c: c["result"][0].pop("metrics"), r"result\.fidelity: expected one of metrics"),
    "a figure's key": (lambda c: c["result"][0].update(kind="bars"), r"result\.fidelity\.kind: a table has no"),
    "a piece twice": (lambda c: c["result"][0].update(metrics="{a}/{a}"), r"has a piece twice"),
    "a piece without name": (lambda c: c["result"][0].update(metrics="a/{}"), r"has a piece that is no name"),
    "across": (lambda c: c["result"][0]["compare"].update(across="seed"), r"compare\.across=seed: is neither"),
    "two of a name": (lambda c: c["result"].append(c["result"][0]), r"two entries are called fidelity"),
    "a name that is a path": (lambda c: c["result"][0].update(table="../x"), r"is the name of a file"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_mistakes_are_answered_with_file_and_key(change, message, study, content):
    change(content)
    with pytest.raises(UserError, match=rf"own\.yaml: .*{message}") as caught:
        study(content)
    assert len(str(caught.value).splitlines()) <= 2


def test_a_file_that_is_no_yaml(tmp_path):
    file = tmp_path / "broken.yaml"
    file.write_text("question: [")
    with pytest.raises(UserError, match=r"broken\.yaml: is no YAML"):
        find_study(str(file))


def test_near_names_are_offered():
    with pytest.raises(UserError, match=r"no such study.*Did you mean rls_ablation"):
        find_study("rls_ablatoin")


def test_an_unknown_budget_names_those_that_there_are(study, content):
    with pytest.raises(UserError, match=r"budget=large: own has no such budget\. It has: smoke, paper"):
        study(content).budget("large")
