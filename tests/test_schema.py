import re

import pytest
from hydra import compose, initialize_config_dir

from micrographia.config import config_directory
from micrographia.errors import UserError
from micrographia.help import group_choices
from micrographia.runs.address import split_config
from micrographia.schema import check_run

NEEDS_A_PATH = {
    "source=path": "source.run=FOLDER",
    "data=image_folder": "data.root=FOLDER",
    "data=plate_fields": ["data.fields.root=FOLDER", "data.fields.table=FILE", "data.fields.channels={DNA: dna}"],
    "data=latents": "data.generator.run=FOLDER",
    "generator=path": "generator.run=FOLDER",
    "flow=path": "flow.run=FOLDER",
    "model=latent_encoder": ["model.generator.run=FOLDER", "model.flow.run=FOLDER"],
}


def configuration(verb, *overrides):
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        what, how = split_config(compose(verb, list(overrides)))
    return {**what, "how": how}


def choices(verb):
    groups = {
        "train": ["data", "backbone", "model", "optimizer", "logger"],
        "transfer": ["source", "data", "finetune"],
        "superresolve": ["generator", "flow", "degradation", "untold", "measurement"],
        "evaluate": ["data"],
    }
    offered = group_choices(config_directory())
    return [(verb, f"{group}={choice}") for group in groups[verb] for choice in offered[group]]


@pytest.mark.parametrize(
    ("verb", "choice"),
    [choice for verb in ("train", "transfer", "superresolve", "evaluate") for choice in choices(verb)],
)
def test_every_shipped_choice_passes(verb, choice):
    needed = NEEDS_A_PATH.get(choice, [])
    check_run(configuration(verb, choice, *([needed] if isinstance(needed, str) else needed)))


@pytest.mark.parametrize("method", group_choices(config_directory())["inversion"])
def test_every_shipped_method_of_super_resolution_passes(method):
    check_run(configuration("superresolve", f"+inversion@methods.further={method}"))


@pytest.mark.parametrize(
    "overrides",
    [
        ["naming.strength=1", "naming.samples=2"],
        ["seed=2147483647"],
        ["budget.steps=null", "budget.epochs=1"],
        ["budget.steps=null", "budget.kimg=0.5"],
        ["budget.validate_every=0.5kimg"],
        ["how.threads=1", "how.accelerator=gpu", "how.log_every=1"],
    ],
)
def test_values_at_the_limits_pass(overrides):
    check_run(configuration("train", *overrides))


@pytest.mark.parametrize(
    ("verb", "wrong", "message"),
    [
        ("train", ["budget.epochs=1"], r"^budget: give either budget\.steps"),
        ("train", ["budget.steps=null"], r"^budget: give either"),
        ("train", ["budget.steps=0"], r"^budget\.steps=0: expected a whole number from 1 on or null\.$"),
        ("train", ["budget.steps=5.5"], r"^budget\.steps=5\.5: expected a whole number"),
        ("train", ["budget.batch_size=0"], r"^budget\.batch_size=0: expected a whole number"),
        ("train", ["budget.validate_every=0"], r"^budget\.validate_every=0: expected a whole number"),
        *(
            ("train", [f"budget.validate_every={every}"], rf"(?i)^budget\.validate_every={every}: .* images, as 4kimg")
            for every in ("4k", "0kimg", "kimg", "-1kimg", "4 kimg", "0.5", "null", "true")
        ),
        (
            "transfer",
            ["source=trained", "source.budget.epochs=1"],
            r"^source\.budget: give either source\.budget\.steps",
        ),
    ],
)
def test_a_contradictory_budget_is_answered(verb, wrong, message):
    with pytest.raises(UserError, match=message):
        check_run(configuration(verb, *wrong))


def test_an_input_is_checked_at_any_depth():
    source = ("model=transfer_classifier", "source@model.source=trained")
    check_run(configuration("train", *source))
    with pytest.raises(UserError, match=r"^model\.source\.seed=x: expected a whole number"):
        check_run(configuration("train", *source, "model.source.seed=x"))
    with pytest.raises(UserError, match=r"^model\.source\.model\.latents=x: expected a whole number"):
        check_run(configuration("train", *source, "model.source.model.latents=x"))


def test_a_key_without_its_value_is_named():
    whole = configuration("train")
    del whole["budget"]["epochs"]
    with pytest.raises(UserError, match=r"budget\.epochs: no value given"):
        check_run(whole)


@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        ({"column": "dose", "negative": 0, "positive": 10}, None),
        (None, None),
        ({"column": "dose", "negative": 0}, "contrast.positive: no value given"),
        ("dose", "contrast=dose: expected the keys column, negative, positive, well, replicate, block or null"),
        (
            {"column": "dose", "negative": 0, "positive": 10, "well": 3},
            "contrast.well=3: expected text.",
        ),
    ],
)
def test_a_node_or_null(contrast, message):
    run = {"task": "superresolve", "contrast": contrast}
    if message is None:
        check_run(run)
    else:
        with pytest.raises(UserError, match="^" + re.escape(message)):
            check_run(run)
