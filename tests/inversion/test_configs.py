"""Every method of `conf/inversion` is built, solves the toy problem, and differs from RLS by what it says."""

import hydra
import pytest
import torch
from omegaconf import OmegaConf, open_dict

from micrographia.config import config_directory, instantiate
from micrographia.errors import UserError
from micrographia.inversion.search import LatentSearch
from micrographia.inversion.spaces import Sphere
from micrographia.schema import check_run

METHODS = sorted(file.stem for file in (config_directory() / "inversion").glob("*.yaml"))
SEARCHES = [name for name in METHODS if name not in ("bicubic", "supervised")]


class Constant(torch.nn.Module):
    """An encoder that says the same of every image."""

    def forward(self, low):
        return torch.zeros(len(low), 4, 6).to(low)

    def axes(self, layers):
        return torch.eye(6).expand(layers, 6, 6)


def composed(name, *overrides):
    with hydra.initialize_config_dir(str(config_directory().resolve()), version_base="1.3"):
        config = hydra.compose(overrides=[f"+inversion={name}", *overrides])
    node = config["inversion"]
    if "network" in node:  # a run of its own, whose data and degradation are those of the whole
        with open_dict(node):
            del node["network"]
    return OmegaConf.to_container(node, resolve=True)


def build(name, *overrides):
    given = {"seed": 0} if name in SEARCHES else {}
    if name == "supervised":
        given = {"network": torch.nn.Sequential(torch.nn.Upsample(scale_factor=4), torch.nn.Conv2d(2, 2, 1))}
    return instantiate(composed(name, *overrides), "inversion", **given)


def test_these_methods_ship():
    expected = "bicubic brgm gaussianized_w no_cross no_pw no_regularization pulse rls rls_plus rls_short supervised"
    assert expected.split() == METHODS


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_named_as_its_file_checked_and_solves(name, toy, truth):
    check_run({"inversion": composed(name)})
    overrides = []
    if name in SEARCHES:
        overrides.append("inversion.schedule.steps=4")
    if name == "rls_plus":
        overrides.append("inversion.tuning.steps=2")
    method = build(name, *overrides)
    assert method.name == name
    found = method.solve(toy(encoder=Constant()).float(), truth[1].float(), list(range(8)))
    assert found.images.shape == (8, 1, 2, 16, 16)
    assert found.images.isfinite().all()
    assert found.table["lr_residual"].notna().all()


def weights(name):
    return {term: value.weight for term, value in build(name).terms.items() if value.weight}


def test_the_weights_and_what_each_ablation_leaves_out():
    rls = {"data": 10.0, "log_p": 0.0005, "p_norm": 0.002, "cross": 0.005}
    assert weights("rls") == weights("rls_plus") == weights("rls_short") == rls
    assert weights("no_regularization") == {"data": 10.0}
    assert weights("no_pw") == {"data": 10.0, "cross": 0.005}
    assert weights("no_cross") == {"data": 10.0, "log_p": 0.0005, "p_norm": 0.002}
    assert weights("gaussianized_w") == {"data": 10.0, "cross": 0.005, "gaussianized_w": 0.00025}
    assert weights("pulse") == {"data": 100.0, "cross": 0.05}
    assert set(weights("brgm")) == {"data", "perceptual", "mean_distance", "cross"}


def test_pulse_searches_the_sphere_and_brgm_at_a_constant_rate():
    pulse, brgm = build("pulse"), build("brgm")
    assert isinstance(pulse.space, Sphere)
    assert (pulse.terms["data"].floor, pulse.lr, pulse.schedule.steps, pulse.trainable_noise) == (0.002, 0.4, 100, 5)
    assert (brgm.schedule.factor(range(501)) == 1).all()
    assert (brgm.lr, brgm.schedule.steps) == (0.1, 501)
    assert isinstance(brgm, LatentSearch)


def test_the_short_search_starts_from_an_encoder_and_needs_one(problem):
    short = build("rls_short")
    assert (short.start.kind, short.axes, short.schedule.steps, short.lr) == ("encoder", "encoder", 50, 0.03)
    with pytest.raises(UserError, match="inversion rls_short needs an encoder: choose encoder=trained"):
        short.check(problem)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("inversion.terms.data.weight=-1", r"inversion\.terms\.data\.weight=-1"),
        ("inversion.terms.cross.kind=cosin", r"inversion\.terms\.cross\.kind=cosin: expected one of euclidean"),
        ("inversion.schedule.steps=0", r"inversion\.schedule\.steps=0"),
        ("inversion.settling=3", r"inversion\.settling=3: expected null"),
        ("inversion.solutions=0", r"inversion\.solutions=0"),
        ("inversion.start.kind=middle", r"inversion\.start\.kind=middle: expected one of mean, random, encoder"),
    ],
)
def test_mistakes_are_answered_with_their_key(override, message):
    with pytest.raises(UserError, match=message):
        check_run({"inversion": composed("rls", override)})
