import pytest

from micrographia.errors import UserError
from micrographia.tasks.search_space import Choices, Interval, search_space, split_overrides, written

FIXED = ["sweep=optuna", "how.sweep.metric=score/mig"]


def space(*overrides, verb="train"):
    fixed, swept = split_overrides([*FIXED, *overrides])
    return search_space(verb, fixed, swept)


def test_an_interval_knows_its_ends_scale_and_default():
    assert space("model.beta=interval(0.5,16)", "optimizer.lr=tag(log,interval(1e-5,1e-3))") == [
        Interval("model.beta", 0.5, 16.0, default=1.0),
        Interval("optimizer.lr", 1e-5, 1e-3, log=True, default=1e-4),
    ]


def test_a_key_of_whole_numbers_is_tuned_by_whole_numbers():
    (found,) = space("budget.batch_size=interval(8,64)")
    assert found == Interval("budget.batch_size", 8, 64, whole=True, default=64)
    assert found.override(32) == "budget.batch_size=32"
    (cast,) = space("model.beta=int(interval(1,4))")
    assert (cast.low, cast.high, cast.whole, cast.default) == (1, 4, True, 1)


def test_a_range_has_steps():
    assert space("model.latents=range(4,12,4)", "model.beta=range(0.5,2.1,0.5)") == [
        Interval("model.latents", 4, 8, step=4, whole=True),
        Interval("model.beta", 0.5, 2.0, step=0.5, default=1.0),
    ]


def test_choices_are_values_or_a_groups_files():
    assert space("model.beta=choice(1,2,4)", "model=beta_vae,ada_gvae", "model.capacity=null,25") == [
        Choices("model.beta", ("1", "2", "4"), default="1"),
        Choices("model", ("beta_vae", "ada_gvae"), default="beta_vae"),
        Choices("model.capacity", ("null", "25"), default="null"),
    ]


def test_a_default_outside_is_none():
    found = space("model.beta=interval(2,16)", "optimizer.lr=choice(1,2)", "model.latents=range(1,6,2)")
    assert [dimension.default for dimension in found] == [None, None, None]


def test_keys_at_any_depth_and_of_any_verb():
    (found,) = space("source.model.beta=interval(1,4)", "source=trained", verb="transfer")
    assert found.default == 1.0
    (found,) = space("images=interval(10,100)", verb="superresolve")
    assert (found.whole, found.default) == (True, 16)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.bta=interval(1,16)"], r"model\.bta: no such key \(did you mean beta\?\)"),
        (["naming.strength=interval(0.5,2)"], r"naming\.strength=2\.0: expected a number from 0 to 1"),
        (["model.beta=interval(4,1)"], r"model\.beta: an interval from 4\.0 to 1\.0 is empty"),
        (["optimizer.lr=tag(log,interval(0,1))"], r"optimizer\.lr: tag\(log, \.\.\.\) takes .* positive numbers"),
        (["optimizer.lr=tag(exp,interval(1,2))"], r"optimizer\.lr: tag\(exp, \.\.\.\): no such tag"),
        (["budget.batch_size=interval(8.5,9.5)"], r"budget\.batch_size=8\.\d+: expected a whole number"),
        (["model.network=interval(1,2)"], r"model\.network: holds several keys, which is no number"),
        (["naming=interval(1,2)"], r"naming: holds several keys, which is no number"),
        (["data.antialias=interval(0,1)"], r"data\.antialias: holds false, which is no number\. Write .*choice\(A,B\)"),
        (["model=interval(0,1)"], r"model: a group takes one of its choices\. Write model=choice\(A,B\)"),
        (["model=beta_vae,vae"], r"model=vae: no such choice"),
        (["model=glob(*)"], r"model=glob\(\*\): name the values"),
        (["seed=0,1"], r"seed=0,1: the best of several seeds is luck"),
        (["how.threads=1,2"], r"how\.threads=1,2: says how a run is executed"),
        (
            ["model.beta=interval(1,2)", "model=beta_vae,factor_vae"],
            r"in trials of model=factor_vae: model\.beta: no such key",
        ),
    ],
)
def test_mistakes_are_answered_before_any_trial(overrides, message):
    with pytest.raises(UserError, match=message):
        space(*overrides)


@pytest.mark.parametrize("values", [3, {"low": 1}, {"low": 1, "high": 2, "kind": "log"}])
def test_what_is_no_interval_in_the_config_is_refused(values):
    with pytest.raises(UserError, match=r"how\.sweep\.space: model\.beta: .* is no interval"):
        written("model.beta", values)
