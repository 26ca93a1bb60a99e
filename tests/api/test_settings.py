from pathlib import Path

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

import micrographia as mg
from micrographia.api.settings import overrides_of, text_of

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
NAMES = st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))


def read(override):
    return OverridesParser.create().parse_override(override)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_hydra_reads_the_value_that_was_given(value):
    assert read(f"key={text_of(value)}").value() == value


@settings(max_examples=40, deadline=None)
@given(st.lists(SCALARS, min_size=2, max_size=4))
def test_a_sweep_has_the_values_that_were_given(values):
    (override,) = overrides_of({"key": values}, sweeping=True)
    assert [read(f"key={text}").value() for text in read(override).sweep_string_iterator()] == values


def test_numbers_of_numpy_and_paths_are_settings():
    given = {"seed": np.int64(3), "lr": np.float32(0.5), "data.channels": np.array([0, 2]), "data.root": Path("a b")}
    assert overrides_of(given) == ["seed=3", "lr=0.5", "data.channels=[0,2]", "data.root='a b'"]


def test_a_dictionary_gives_the_keys_of_a_group():
    given = {"methods": {"rls": {"solutions": 8}}, "contrast": {"column": "dose", "positive": 10}}
    assert overrides_of(given) == ["methods.rls.solutions=8", "contrast={column:dose,positive:10}"]
    assert overrides_of({"finetune": {"epochs": 5, "beta": None}}) == ["finetune.epochs=5", "finetune.beta=null"]


def test_a_run_stands_for_a_group_of_runs(trained, here):
    assert overrides_of({"source": trained}) == ["source=path", f"source.run={text_of(trained.place)}"]
    assert overrides_of({"source": str(trained.path)}) == overrides_of({"source": trained})
    assert overrides_of({"source": mg.load("pretrained/beta_vae")}) == ["source=pretrained/beta_vae"]
    assert overrides_of({"generator": "pretrained/stylegan2_golgi"}) == [
        "generator=path",
        "generator.run=pretrained/stylegan2_golgi",
    ]


@pytest.mark.parametrize(
    ("given", "overrides", "said"),
    [
        ({"seed": object()}, None, "seed: a object is no setting"),
        ({}, ["seed"], "overrides: 'seed' is no key=value"),
        ({}, [3], "overrides: 3 is no key=value"),
    ],
)
def test_what_is_no_setting_is_refused(given, overrides, said):
    with pytest.raises(mg.UserError, match=said):
        overrides_of(given, overrides)


def test_a_sweep_without_a_value_is_refused():
    with pytest.raises(mg.UserError, match="seed: a list without a value"):
        overrides_of({"seed": []}, sweeping=True)
    with pytest.raises(mg.UserError, match="cannot be swept together"):
        overrides_of({"source": ["pretrained/beta_vae", "pretrained/latent_flow_golgi"]}, sweeping=True)
