import pytest
from hydra import compose as hydra_compose
from omegaconf import OmegaConf

from micrographia.completion.composing import compose
from micrographia.completion.notes import notes_of
from micrographia.config import config_directory
from micrographia.presets import presets
from micrographia.search_path import hydra_initialized
from micrographia.verbs import VERBS

ROOTS = sorted(file.stem for file in config_directory().glob("*.yaml"))
CHOICES = [
    *((root, {}) for root in ROOTS),
    *((verb, {"experiment": preset}) for verb in VERBS for preset in presets(verb)[::4]),
    ("train", {"sweep": "optuna", "logger": "wandb", "how/trainer": "ddp", "optimizer": "adamw"}),
    ("train", {"data": "latents", "model": "latent_flow"}),
    ("transfer", {"source": "trained", "model@source.model": "factor_vae", "data@source.data": "synthetic/yeast"}),
    ("superresolve", {"encoder": "trained", "flow": "pretrained/golgi", "inversion@methods.rls": "pulse"}),
]


def dotted(node, above=""):
    """All keys of a nested config."""
    found = set()
    for key, value in node.items():
        found |= {f"{above}{key}"} | (dotted(value, f"{above}{key}.") if isinstance(value, dict) else set())
    return found


@pytest.mark.parametrize(("verb", "choices"), CHOICES, ids=str)
def test_the_keys_are_hydras(verb, choices):
    with hydra_initialized():
        composed = hydra_compose(verb, [f"{group}={choice}" for group, choice in choices.items()])
    assert dotted(compose(verb, choices).keys) == dotted(OmegaConf.to_container(composed))


def test_groups_are_written_as_hydra_takes_them():
    groups = compose("transfer", {"source": "trained"}).groups
    assert groups["model@source.model"] == "model"
    assert groups["model/network@source.model.network"] == "model/network"
    assert groups["how/trainer"] == "how/trainer"
    with hydra_initialized():
        for place in ("model/network@source.model.network", "probe@probes.gbt", "finetune", "backbone@source.backbone"):
            assert place in groups
            choice = "conv" if "network" in place else "none" if place != "probe@probes.gbt" else "mlp"
            hydra_compose("transfer", ["source=trained", f"{place}={choice}"])


def test_a_file_that_is_not_there_or_broken_leaves_the_rest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "micrographia_conf" / "optimizer").mkdir(parents=True)
    (tmp_path / "micrographia_conf" / "optimizer" / "broken.yaml").write_text("lr: [1")
    assert "model" in compose("train", {"optimizer": "broken", "data": "nothing"}).keys


def test_notes_are_the_comments(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("defaults:\n  - model: vae  # what\na: 1  # one\nb:  # two\n  c: '#'\n  d: [x, y]  # four\ne: 2\n")
    assert notes_of(file) == {
        "defaults": "",
        "-model": "what",
        "a": "one",
        "b": "two",
        "b.c": "'",
        "b.d": "four",
        "e": "",
    }
