"""The batched search: no image's result depends on the others, and every method does what it says."""

import copy

import pytest
import torch

from micrographia.errors import UserError
from micrographia.inversion.features import FilterPyramid
from micrographia.inversion.method import Bicubic
from micrographia.inversion.objective import (
    L1,
    L2,
    Charbonnier,
    Cross,
    GaussianizedW,
    LogP,
    MeanDistance,
    Perceptual,
    PNorm,
    Poisson,
)
from micrographia.inversion.schedule import Schedule, Settling
from micrographia.inversion.solutions import LEAST_RESIDUAL, TIMES, solved
from micrographia.inversion.spaces import Sphere, W, WPlus
from micrographia.inversion.starts import Start
from micrographia.inversion.tuning import COPIES, Tuning, tuned_weights
from micrographia.models.backbones import Backbone
from micrographia.scores.frechet import ImageFeatures

LAYERS, WIDTH = 4, 6  # of the toy generator
KEYS = [3, 1, 4, 15, 9, 2, 6, 5]
PULSE = {
    "terms": {"data": L2(100.0, 1e-5), "cross": Cross(0.05, "geodesic")},
    "space": Sphere(),
    "start": Start("random", per_layer=True),
    "trainable_noise": 2,
    "lr": 0.4,
}
EVERY_TERM = {
    "data": Poisson(1.0, 50.0),
    "perceptual": Perceptual(1.0, FilterPyramid()),
    "gaussianized_w": GaussianizedW(0.001),
    "mean_distance": MeanDistance(0.1),
    "charbonnier": Charbonnier(1.0),
    "cosine": Cross(0.1, "cosine"),
    "log_p": LogP(0.002),
    "p_norm": PNorm(0.004),
}


class Encoder(torch.nn.Module):
    """Says the mean intensity, and has axes of its own."""

    def forward(self, low):
        return low.flatten(1).mean(1)[:, None, None].expand(-1, LAYERS, WIDTH)

    def axes(self, layers):
        matrices = torch.randn(layers, WIDTH, WIDTH, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        return torch.linalg.qr(matrices).Q


ALONG_AXES = {
    "axes": "encoder",
    "solutions": 2,
    "settling": Settling(window=2, tolerance=0.9),
    "tuning": Tuning(steps=5, noise_maps=2, weights_lr=1e-2),
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"space": W()},
        PULSE,
        {"terms": EVERY_TERM},
        {"solutions": 3},
        {"settling": Settling(window=2, tolerance=0.9)},
        {"tuning": Tuning(steps=5, noise_maps=2, weights_lr=1e-2)},
        ALONG_AXES,
        {"axes": "encoder", "space": W()},
    ],
    ids=["rls", "w", "pulse", "every term", "three solutions", "settling", "rls_plus", "along axes", "along axes of w"],
)
def test_alone_or_in_a_batch_an_image_has_the_same_result(build_search, toy, truth, changes):
    problem = toy(encoder=Encoder())
    search = build_search(**{"schedule": Schedule(20), **changes})
    together = search.solve(problem, truth[1], KEYS)
    for row in (0, 5):
        alone = search.solve(problem, truth[1][row : row + 1], KEYS[row : row + 1])
        torch.testing.assert_close(together.codes[row], alone.codes[0], rtol=0, atol=1e-8)
        torch.testing.assert_close(together.images[row], alone.images[0], rtol=0, atol=1e-8)
        mine = together.table[together.table["key"] == KEYS[row]]
        assert mine["loss"].to_numpy() == pytest.approx(alone.table["loss"].to_numpy(), abs=1e-8)
        assert mine["steps"].tolist() == alone.table["steps"].tolist()


@pytest.mark.parametrize("changes", [{}, PULSE, {"terms": EVERY_TERM}], ids=["rls", "pulse", "every term"])
def test_the_gradient_of_an_image_is_exactly_zero_in_every_other_code(build_search, problem, truth, changes):
    search = build_search(**changes)
    variables = search.variables(problem, truth[1], KEYS)
    values = {name: variable.start.clone().requires_grad_() for name, variable in variables.items()}
    losses = sum(search.evaluation(problem, truth[1])(values, torch.arange(8)).values())
    for image in range(8):
        for gradient in torch.autograd.grad(losses[image], list(values.values()), retain_graph=True):
            assert gradient[image].abs().sum() > 0
            assert (gradient[torch.arange(8) != image] == 0).all()


def test_order_of_images_and_what_was_searched_before_change_nothing(build_search, problem, truth):
    search = build_search(schedule=Schedule(20), start=Start("random"), solutions=2)
    forward = search.solve(problem, truth[1], KEYS)
    backward = search.solve(problem, truth[1].flip(0), KEYS[::-1])
    torch.testing.assert_close(forward.codes, backward.codes.flip(0), rtol=0, atol=1e-8)
    again = search.solve(problem, truth[1], KEYS)
    assert torch.equal(forward.codes, again.codes)


def test_seed_key_and_solution_each_change_a_random_start(build_search, problem, truth):
    def first(seed, keys):
        search = build_search(start=Start("random"), seed=seed, solutions=2)
        return search.variables(problem, truth[1].repeat_interleave(2, 0), keys)["code"].start

    starts = first(0, KEYS)
    assert len(starts.flatten(1).unique(dim=0)) == 16
    assert not torch.equal(starts, first(1, KEYS))
    assert torch.equal(starts[2:4], first(0, [99, KEYS[1], *KEYS[2:]])[2:4])


def test_starts(problem, truth):
    low = truth[1]
    mean = Start().styles(problem, low[:2], [1, 1], [0, 1], 0, LAYERS)
    assert (mean[0] == problem.w_mean).all()
    moved = (mean[1] - problem.w_mean).norm(dim=1)
    torch.testing.assert_close(moved, moved[:1].expand(LAYERS))
    assert 0 < moved[0] < problem.w_spread
    random = Start("random", per_layer=True).styles(problem, low[:1], [1], [0], 0, LAYERS)
    assert len(random[0].unique(dim=0)) == LAYERS


def test_finds_the_image_behind_and_explains_the_low_resolution_one(build_search, problem, truth):
    images, low = truth
    found = build_search(schedule=Schedule(200)).solve(problem, low, KEYS)
    assert (found.table["lr_residual"] < 0.002).all()
    far = (problem.synthesis(problem.w_mean.expand(8, 1, -1)) - images).abs().mean((1, 2, 3))
    near = (found.images[:, 0] - images).abs().mean((1, 2, 3))
    assert (near < far / 3).all()
    parts = found.table.filter(like="loss/").sum(axis=1)
    assert parts.to_numpy() == pytest.approx(found.table["loss"].to_numpy())
    assert found.table["flag"].tolist() == [""] * 8


def test_without_regularisation_codes_leave_the_typical_range_and_are_flagged(build_search, problem, truth):
    free = build_search(terms={"data": L1(10.0)}, schedule=Schedule(200), lr=2.0).solve(problem, truth[1], KEYS)
    tied = build_search(schedule=Schedule(200)).solve(problem, truth[1], KEYS)
    assert free.table["log_p"].mean() < tied.table["log_p"].mean()
    least, most = problem.typical.tolist()
    for table in (free.table, tied.table):
        outside = (table["log_p_least"] < least) | (table["log_p"] > most)
        assert table["flag"].str.contains("atypical code").tolist() == outside.tolist()
    assert free.table["flag"].str.contains("atypical").sum() > tied.table["flag"].str.contains("atypical").sum()


def test_one_unlikely_layer_makes_a_code_atypical(problem):
    styles = torch.cat(list(problem.sample_w(2, 5, 5)))[:, None].expand(-1, LAYERS, -1).clone()
    problem.typical[0] = problem.gaussianise(styles)[1].min() - 1
    problem.typical[1] = torch.inf
    styles[1, -1] += 30 * problem.flow.std
    images = problem.synthesis(styles)
    table = solved(problem, problem.degrade(images), [0, 1], 1, images, styles).table
    assert table["log_p_least"][1] < problem.typical[0]
    assert table["flag"].tolist() == ["", "atypical code"]


def test_a_tuning_that_diverges_is_flagged(build_search, problem, truth):
    class Exploding(L1):
        def __call__(self, candidate):
            loss = super().__call__(candidate)
            return torch.where(torch.arange(len(loss)) == 0, torch.nan, loss) if self.late else loss

    data = Exploding(10.0)
    data.late = False

    class Late(Tuning):
        def refine(self, *given):
            data.late = True
            return super().refine(*given)

    found = build_search(terms={"data": data}, schedule=Schedule(4), tuning=Late(steps=3)).solve(
        problem, truth[1][:2], KEYS[:2]
    )
    assert ["diverged" in flag for flag in found.table["flag"]] == [True, False]


def test_typical_range_holds_99_percent_of_fresh_samples(problem):
    log_p = torch.cat([problem.flow.log_prob(w) for w in problem.sample_w(20_000, 3, 12)])
    least, most = problem.typical
    assert ((log_p >= least) & (log_p <= most)).double().mean().item() == pytest.approx(0.99, abs=0.006)


def test_statistics_of_w(problem):
    w = torch.cat(list(problem.sample_w(4000, 0, 0)))
    v = torch.where(w < 0, 5 * w, w)
    torch.testing.assert_close(problem.w_mean, w.mean(0))
    torch.testing.assert_close(problem.w_spread, (w - w.mean(0)).square().sum(1).mean().sqrt())
    torch.testing.assert_close(problem.v_std, v.std(0, correction=0))
    white = (v - problem.v_mean) @ problem.v_whitening
    torch.testing.assert_close(white.T @ white / 4000, torch.eye(WIDTH, dtype=torch.float64), atol=1e-8, rtol=0)


def test_the_shared_generator_is_untouched_by_rls_plus_which_lowers_the_residual(build_search, problem, truth):
    generator = copy.deepcopy(problem.generator)
    problem.generator.train()
    beyond = truth[1] + 0.1 * torch.randn(truth[1].shape, generator=torch.Generator().manual_seed(0))
    plain = build_search().solve(problem, beyond, KEYS)
    tuning = Tuning(steps=40, noise_maps=LAYERS, weights_lr=1e-3)
    tuned = build_search(tuning=tuning).solve(problem, beyond, KEYS)
    for (name, before), after in zip(
        generator.state_dict().items(), problem.generator.state_dict().values(), strict=True
    ):
        assert torch.equal(before, after), name
    assert all(parameter.requires_grad and parameter.grad is None for parameter in problem.generator.parameters())
    assert problem.generator.training
    assert (tuned.table["lr_residual"] < plain.table["lr_residual"]).all()
    moved = (tuned.codes - plain.codes).abs().sum(3)
    assert moved.max() <= WIDTH**0.5 * (1 + 1e-9)
    # the images are those of each image's own generator, not of the shared one
    assert not torch.allclose(tuned.images[:, 0], problem.synthesis(tuned.codes[:, 0]))
    assert tuned.table["steps"].tolist() == [100] * 8


def test_tuned_images_are_handed_on_as_memory_lets_them_be_tuned(build_search, problem, truth):
    tuning, parts = Tuning(steps=2), []
    weights = sum(weight.nbytes for weight in tuned_weights(problem).values())
    few = build_search(tuning=tuning, solutions=2, memory_gb=3 * COPIES * weights / 1e9)
    found = few.solve(problem, truth[1], KEYS, keep=parts.append)
    assert [part.keys.tolist() for part in parts] == [KEYS[:1], KEYS[1:3], KEYS[3:4], KEYS[4:6], KEYS[6:7], KEYS[7:]]
    at_once = build_search(tuning=tuning, solutions=2).solve(problem, truth[1], KEYS)
    torch.testing.assert_close(found.images, at_once.images)
    torch.testing.assert_close(torch.cat([part.codes for part in parts]), at_once.codes)


def test_images_are_those_of_the_codes(build_search, problem, truth):
    for changes in ({}, {"space": W()}):
        found = build_search(**changes).solve(problem, truth[1], KEYS)
        torch.testing.assert_close(found.images[:, 0], problem.synthesis(found.codes[:, 0]).detach())


@pytest.mark.parametrize("space", [WPlus(), W()])
def test_steps_along_the_encoders_axes(toy, build_search, truth, space):
    problem = toy(encoder=Encoder())
    along, plain = (
        build_search(space=space, axes=axes, schedule=Schedule(20)).solve(problem, truth[1], KEYS)
        for axes in ("encoder", "styles")
    )
    assert not torch.allclose(along.codes, plain.codes, atol=1e-3)


def test_axes_that_are_not_there_are_answered(problem, build_search, truth):
    with pytest.raises(UserError, match=r"rls needs an encoder.* axes=styles"):
        build_search(axes="encoder").solve(problem, truth[1], KEYS)
    with pytest.raises(UserError, match=r"axes=encoder are of W and W\+, not of the sphere"):
        build_search(**PULSE, axes="encoder")


def test_encoder_start_is_taken_and_missing_parts_are_answered(toy, build_search, truth):
    search = build_search(start=Start("encoder"))
    problem = toy(encoder=Encoder())
    start = search.variables(problem, truth[1], KEYS)["code"].start
    assert torch.equal(start, problem.encoder(truth[1]))
    with pytest.raises(UserError, match=r"rls needs an encoder"):
        search.solve(toy(), truth[1], KEYS)
    with pytest.raises(UserError, match=r"rls needs a flow"):
        build_search().solve(toy(flow=None), truth[1], KEYS)
    build_search(terms={"data": L1(1.0), "log_p": LogP(0.0)}, schedule=Schedule(2)).solve(
        toy(flow=None), truth[1], KEYS
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"terms": {"log_p": LogP(1.0)}}, "need one called data"),
        ({"terms": {"data": L1(0.0)}}, "a weight above 0"),
        ({"space": Sphere(), "tuning": Tuning()}, "tuning follows a search in W or W"),
    ],
)
def test_methods_that_make_no_sense_are_answered(build_search, changes, message):
    with pytest.raises(UserError, match=message):
        build_search(**changes)


def test_more_noise_maps_than_the_generator_has_are_all_of_them(build_search, problem, truth):
    variables = build_search(trainable_noise=9).variables(problem, truth[1], KEYS)
    assert [name for name in variables if name != "code"] == [f"noise{level}" for level in range(LAYERS)]
    build_search(tuning=Tuning(steps=1), schedule=Schedule(1)).solve(problem, truth[1], KEYS)


def test_chunks_keep_to_the_memory(build_search, problem):
    assert build_search(chunk=7).chunk_size(problem) == 7
    few = build_search(chunk=1000, memory_gb=0.002).chunk_size(problem)
    twice = build_search(chunk=1000, memory_gb=0.004).chunk_size(problem)
    assert 1 < few < 1000
    assert twice == pytest.approx(2 * few, abs=1)
    assert build_search(chunk=1000, memory_gb=0.004, solutions=2).chunk_size(problem) == pytest.approx(few, abs=1)
    assert build_search(chunk=1000, memory_gb=0.0).chunk_size(problem) == 1


class Quarters(Backbone):
    """Features: brightness of the four quarters of a grey image."""

    name, size, features, identity = "quarters", 8, 4, "quarters"

    def extract(self, images):
        return torch.nn.functional.adaptive_avg_pool2d(images[:, :1], 2).flatten(1)


def test_a_network_as_perceptual_term_leads_the_search(build_search, problem, truth):
    terms = {"data": L1(0.0), "perceptual": Perceptual(10.0, ImageFeatures(Quarters(), 2))}
    found = build_search(terms=terms).solve(problem, truth[1], KEYS)
    start = build_search(terms=terms, schedule=Schedule(1)).solve(problem, truth[1], KEYS)
    assert (found.table["loss/perceptual"] < 0.1 * start.table["loss/perceptual"]).all()


def test_a_term_without_a_gradient_is_answered(build_search, problem, truth):
    class Cut(torch.nn.Module):
        def forward(self, images):
            return images.detach().flatten(1)

    search = build_search(terms={"data": L1(1.0), "perceptual": Perceptual(1.0, Cut())})
    with pytest.raises(UserError, match=r"terms\.perceptual: it gives no gradient"):
        search.solve(problem, truth[1], KEYS)


def test_without_a_flow_typicality_is_unknown_and_flagged(toy, build_search, truth):
    problem = toy(flow=None)
    found = build_search(terms={"data": L1(10.0)}).solve(problem, truth[1], KEYS)
    assert found.table["log_p"].isna().all()
    assert found.table["flag"].str.startswith("typicality unknown").all()
    assert (Bicubic("bicubic").solve(problem, truth[1], KEYS).table["flag"] == "").all()  # it has no codes


def test_an_image_unlike_what_was_seen_is_flagged(build_search, problem, truth):
    unfinished = build_search(schedule=Schedule(1)).solve(problem, truth[1], KEYS).table
    unlike = unfinished["flag"].str.contains("unlike its low-resolution image")
    plain = Bicubic("bicubic").solve(problem, truth[1], KEYS).table
    limit = (TIMES * plain["lr_residual"]).clip(lower=LEAST_RESIDUAL)
    assert unlike.tolist() == (unfinished["lr_residual"] > limit).tolist()
    assert unlike.any()
    done = build_search(solutions=2).solve(problem, truth[1], KEYS).table
    assert not done["flag"].str.contains("unlike").any()
    assert (plain["flag"] == "").all()


def test_interpolation_is_not_flagged_however_little_it_keeps(problem):
    noise = torch.rand(6, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).round()
    table = Bicubic("bicubic").solve(problem, noise, list(range(6))).table
    assert (table["lr_residual"] > LEAST_RESIDUAL).all()
    assert (table["flag"] == "").all()


def test_float32_works(toy, build_search, truth):
    problem = toy().float()
    found = build_search().solve(problem, truth[1].float(), KEYS)
    assert found.codes.dtype == torch.float32
    assert (found.table["lr_residual"] < 0.01).all()
