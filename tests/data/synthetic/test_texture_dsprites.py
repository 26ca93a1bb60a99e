import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.data.batches import step_generator
from micrographia.data.synthetic.texture_dsprites import COLORS, FACTORS, TextureDSprites
from micrographia.errors import UserError

DATA = TextureDSprites("sprites")
SMOOTH = TextureDSprites("smooth", antialias=True)
CENTRED = TextureDSprites("centred", fixed={"PosX": 16, "PosY": 16})
TOTAL = 25_804_800


def images_of(data, **values):
    """Images of factor values that broadcast against each other; others are 0."""
    columns = torch.broadcast_tensors(*(torch.as_tensor(values.get(factor, 0)) for factor in data.factors))
    return data.images(data.index_of(torch.stack(columns, -1).reshape(-1, len(data.factors)))).float() / 255


def test_the_grids_have_the_published_sizes():
    assert len(DATA) == TOTAL
    assert len(CENTRED) == 25_200
    assert list(CENTRED.factors) == ["Texture", "Color", "Shape", "Scale", "Orientation"]


@given(st.lists(st.integers(0, TOTAL - 1), max_size=20))
@settings(deadline=None)
def test_index_and_factors_are_inverse(indices):
    indices = torch.tensor(indices, dtype=torch.int64)
    values = DATA.factor_values(indices)
    assert torch.equal(DATA.index_of(values), indices)
    expected = np.array(np.unravel_index(indices.numpy(), tuple(FACTORS.values()))).T
    assert (values.numpy() == expected).all()


@given(
    st.sets(st.sampled_from(sorted(FACTORS)), max_size=6).map(lambda names: dict.fromkeys(names, 2)),
    st.integers(0, 2**40),
)
@settings(max_examples=30, deadline=None)
def test_fixed_factors_give_the_images_of_the_whole_grid(fixed, number):
    part = TextureDSprites("part", fixed=fixed, samples=dict.fromkeys(("train", "val", "test"), 1))
    index = torch.tensor([number % len(part)])
    values = dict(zip(part.factors, part.factor_values(index)[0].tolist(), strict=True))
    assert torch.equal(part.images(index).float() / 255, images_of(DATA, **fixed, **values))


@pytest.mark.parametrize("data", [DATA, SMOOTH, TextureDSprites("large", size=150)])
def test_an_image_depends_on_its_index_only(data):
    indices = data.draw_indices(70, 3, 5)
    together = data.images(indices)
    assert together.dtype == torch.uint8
    assert together.shape == (70, *data.shape)
    alone = torch.cat([data.images(index[None]) for index in indices])
    assert torch.equal(together, alone)
    assert torch.equal(together, TextureDSprites("again", size=data.size, antialias=data.antialias).images(indices))


def test_no_images_are_no_images():
    assert DATA.images(torch.empty(0, dtype=torch.int64)).shape == (0, 3, 64, 64)


@pytest.mark.parametrize("index", [-1, TOTAL])
def test_indices_outside_the_grid_are_errors(index):
    with pytest.raises(IndexError):
        DATA.images(torch.tensor([0, index]))
    with pytest.raises(ValueError, match="out of range"):
        DATA.index_of(torch.tensor([[5, 0, 0, 0, 0, 0, 0]]))


@pytest.mark.parametrize("data", [DATA, SMOOTH])
def test_position_moves_the_sprite_by_a_pixel_a_step(data):
    for factor, axis in (("PosX", 3), ("PosY", 2)):
        seen = (images_of(data, Shape=2, Scale=5, Orientation=11, **{factor: torch.arange(32)}) > 0).any(1, True)
        for step in (1, 31):
            assert torch.equal(seen[step], seen[0].roll(step, axis - 1))


def test_area_follows_the_scale():
    areas = (images_of(DATA, Shape=1, Orientation=5, Scale=torch.arange(6)) > 0).float().sum((1, 2, 3)) / 3
    expected = 441 * torch.linspace(0.5, 1, 6) ** 2
    assert torch.allclose(areas, expected, rtol=0.06)


def test_first_and_last_orientation_are_the_same_and_others_are_not():
    images = images_of(DATA, Shape=2, Scale=5, Orientation=torch.arange(40))
    assert torch.equal(images[0], images[39])
    assert len(images.unique(dim=0)) == 39


@pytest.mark.parametrize("data", [DATA, SMOOTH])
@pytest.mark.parametrize("texture", range(5))
def test_colour_sets_the_ratio_of_the_channels(data, texture):
    images = images_of(data, Texture=texture, Color=torch.arange(7), Scale=5, Orientation=3, PosX=9, PosY=20)
    sums = images.sum((2, 3))
    assert torch.allclose(sums / sums[:1], torch.tensor(COLORS), atol=0.01)


def test_texture_only_modulates():
    images = images_of(DATA, Texture=torch.arange(5), Color=3, Shape=1, Scale=5)
    silhouettes = (images > 0).any(1)
    assert (silhouettes == silhouettes[0]).all()
    assert len(images.unique(dim=0)) == 5


@given(st.integers(1, 7), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_pairs_differ_in_picked_factors_only(changed, step):
    first, second, mask = DATA.draw_pairs(40, changed, step_generator(0, step))
    assert mask.shape == (40, 7)
    assert (mask.sum(1) == changed).all()
    assert not ((DATA.factor_values(first) != DATA.factor_values(second)) & ~mask).any()


def test_pairs_redraw_factors_uniformly_with_repeats():
    first, second, mask = DATA.draw_pairs(60_000, 2, step_generator(1, 0))
    assert torch.allclose(mask.float().mean(0), torch.tensor(2 / 7), atol=0.01)
    values, others = DATA.factor_values(first), DATA.factor_values(second)
    for factor, count in enumerate(FACTORS.values()):
        picked = mask[:, factor]
        repeats = (values[picked, factor] == others[picked, factor]).float().mean().item()
        assert repeats == pytest.approx(1 / count, abs=0.02)
        frequencies = torch.bincount(others[picked, factor], minlength=count) / picked.sum()
        assert frequencies.tolist() == pytest.approx([1 / count] * count, abs=0.015)


@pytest.mark.parametrize(("data", "changed"), [(DATA, 0), (DATA, 8), (CENTRED, 6)])
def test_pairs_cannot_differ_in_more_factors_than_there_are(data, changed):
    with pytest.raises(UserError, match=f"cannot differ in {changed} factors"):
        data.draw_pairs(4, changed, step_generator(0, 0))


def test_training_draws_every_value_equally_often():
    values = DATA.factor_values(DATA.draw_indices(50_000, 0, 0))
    for factor, count in enumerate(FACTORS.values()):
        frequencies = torch.bincount(values[:, factor], minlength=count) / len(values)
        assert frequencies.tolist() == pytest.approx([1 / count] * count, abs=0.01)
    assert torch.equal(DATA.draw_indices(8, 1, 2), DATA.draw_indices(8, 1, 2))
    assert not torch.equal(DATA.draw_indices(8, 1, 2), DATA.draw_indices(8, 1, 3))


@pytest.mark.parametrize(
    "data",
    [
        DATA,
        CENTRED,
        TextureDSprites(
            "tiny", fixed={"PosX": 0, "PosY": 0, "Orientation": 0}, samples={"train": 400, "val": 100, "test": 130}
        ),
    ],
)
def test_parts_are_fixed_distinct_and_disjoint(data):
    parts = {part: data.indices(part) for part in ("train", "val", "test")}
    assert {part: len(indices) for part, indices in parts.items()} == data.samples
    together = torch.cat(list(parts.values()))
    assert len(together.unique()) == len(together)
    assert 0 <= together.min() <= together.max() < len(data)
    assert together.float().mean().item() == pytest.approx(len(data) / 2, rel=0.05)
    again = TextureDSprites("again", fixed=data.fixed, samples=data.samples)
    assert torch.equal(again.indices("val"), parts["val"])


def test_table_names_the_factors():
    table = CENTRED.table(torch.tensor([0, 25_199]))
    assert table.iloc[1].to_dict() == {"Texture": 4, "Color": 6, "Shape": 2, "Scale": 5, "Orientation": 39}
    assert table.index.tolist() == [0, 25_199]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fixed": {"Posx": 1}}, r"data\.fixed\.Posx: no such factor\. Factors: Texture, Color"),
        ({"fixed": {"PosX": 32}}, r"data\.fixed\.PosX=32: expected a whole number in 0\.\.31"),
        ({"fixed": dict.fromkeys(FACTORS, 0)}, "every factor is fixed"),
        ({"samples": {"valid": 10}}, r"data\.samples\.valid: no such part"),
        ({"samples": {"val": 0}}, r"data\.samples\.val=0"),
        ({"samples": {"train": 20_000}, "fixed": {"PosX": 16, "PosY": 16}}, "32000 images .* only 25200"),
        ({"size": 8}, r"data\.size=8"),
    ],
)
def test_mistakes_are_told(arguments, message):
    with pytest.raises(UserError, match=message):
        TextureDSprites("sprites", **arguments)


def test_batches_of_pairs_are_a_function_of_seed_and_step():
    def batches(interval):
        data = TextureDSprites("sprites").fit(7, 4, 6, interval=interval, changed_factors=1)
        loader = data.train_dataloader()
        for epoch in range(6 // interval):
            loader.sampler.set_epoch(epoch)
            yield from loader

    for one, other in zip(batches(2), batches(3), strict=True):
        assert set(one) == {"image", "partner", "changed"}
        assert all(torch.equal(one[key], other[key]) for key in one)
