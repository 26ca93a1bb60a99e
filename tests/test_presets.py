import pytest

from micrographia import presets, search_path
from micrographia.cli import VERBS, command
from micrographia.errors import UserError

SHIPPED = [(verb, name) for verb in VERBS for name in presets.presets(verb)]


@pytest.fixture
def own_tree(tmp_path, monkeypatch):
    """Write a config tree with presets, given as their YAML, and read it in place of the shipped one."""
    tree = tmp_path / "conf"

    def write(**experiments):
        files = {
            "train": "defaults: [data: a, model: b, how: c]\nbudget: {steps: 3}",
            "transfer": "defaults: [source: a, data: b, probe@probes.gbt: gbt]\nseed: 0",
            **{f"experiment/study/{name}": f"{presets.HEADER}\n{content}" for name, content in experiments.items()},
        }
        for name, content in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / f"{name}.yaml").write_text(content)

    monkeypatch.setattr(presets, "config_directory", lambda: tree)
    monkeypatch.setattr(search_path, "config_directory", lambda: tree)
    return write


def test_every_shipped_preset_is_of_one_verb():
    assert sorted(name for _, name in SHIPPED) == sorted({name for _, name in SHIPPED})
    assert {("train", "drl/source"), ("train", "drl/source_features"), ("transfer", "drl/demo")} <= set(SHIPPED)


@pytest.mark.parametrize(("verb", "name"), SHIPPED)
def test_presets_compose_with_their_verb(verb, name, capsys):
    assert command([verb, f"experiment={name}", "--cfg", "job"]) == 0
    assert f"task: {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "verbs"),
    [
        ("defaults: [override /source: x]", ["transfer"]),
        ("defaults: [override /model: x]", ["train"]),
        ("defaults: [override /model/network: x]", ["train"]),
        ("defaults: [override /model@source.model: x]", ["transfer"]),
        ("defaults: [override /probe@probes.gbt: x]", ["transfer"]),
        ("defaults: [override /data: x]", ["train", "transfer"]),
        ("budget: {steps: 4}", ["train"]),
        ("probes: {gbt: {trees: 4}}", ["transfer"]),
        ("seed: 4\nbudget: {steps: 3}", []),
        ("defaults: [base, _self_]\ndata: {size: 3}", ["train"]),
        ("defaults: [/experiment/study/base]", ["train"]),
    ],
)
def test_a_preset_is_of_the_verbs_that_have_what_it_sets(content, verbs, own_tree):
    own_tree(this=content, base="budget: {steps: 5}")
    assert presets.verbs_of("study/this") == verbs


def test_only_another_verbs_preset_is_refused(own_tree):
    own_tree(one="budget: {steps: 4}", two="seed: 3", both="data: {size: 3}")
    presets.check_presets("train", ["experiment=study/one,study/both", "seed=3"])
    presets.check_presets("train", ["experiment=study/unknown"])
    with pytest.raises(
        UserError, match=r"^experiment=study/two is a preset of transfer; presets of train: study/both, "
    ):
        presets.check_presets("train", ["+experiment=study/one,study/two"])
