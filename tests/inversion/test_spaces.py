import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.inversion.spaces import Sphere, W, WPlus, noise_of, normalised_map, project_on_l1_ball


def test_the_sphere_and_back(problem):
    styles = torch.cat(list(problem.sample_w(50, 0, 5)))[:, None]
    space = Sphere()
    code = space.code(problem, styles)
    torch.testing.assert_close(code.norm(dim=2), torch.full((50, 1), 6**0.5).double())
    # a point on the sphere keeps its place through W
    torch.testing.assert_close(space.code(problem, space.styles(problem, code)), code)


def test_layers(problem):
    assert (WPlus().layers(problem), W().layers(problem), Sphere().layers(problem)) == (4, 1, 4)


def test_normalised_maps():
    maps = normalised_map(3 + 2 * torch.randn(5, 1, 8, 8))
    torch.testing.assert_close(maps.mean((1, 2, 3)), torch.zeros(5), atol=1e-6, rtol=0)
    torch.testing.assert_close(maps.square().mean((1, 2, 3)), torch.ones(5))


def test_noise_maps_in_the_order_of_layers():
    values = {"code": torch.zeros(1), **{f"noise{level}": torch.tensor(level) for level in reversed(range(11))}}
    assert [int(level) for level in noise_of(values)] == list(range(11))
    assert noise_of({"code": torch.zeros(1)}) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 20), st.integers(1, 12))
def test_projection_on_the_l1_ball_is_the_nearest_point(seed, radius, width):
    draws = torch.Generator().manual_seed(seed)
    point = 3 * torch.randn(1, width, dtype=torch.float64, generator=draws)
    projected = project_on_l1_ball(point, radius)
    assert projected.abs().sum() <= radius * (1 + 1e-9)
    if point.abs().sum() <= radius:
        torch.testing.assert_close(projected, point)
    others = torch.randn(200, width, dtype=torch.float64, generator=draws)
    others = others / others.abs().sum(1, keepdim=True) * radius * torch.rand(200, 1, generator=draws)
    # the angle at the projection is obtuse for every point of a convex set
    assert ((others - projected) @ (point - projected).T).max() <= 1e-9
