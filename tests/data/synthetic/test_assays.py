import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from micrographia.config import config_directory, instantiate
from micrographia.data.datamodule import PARTS
from micrographia.data.synthetic.camera import Camera
from micrographia.data.synthetic.central_cell import central_factors
from micrographia.data.synthetic.dose_response import DoseResponse
from micrographia.data.synthetic.golgi import GolgiAssay
from micrographia.data.synthetic.plate_layout import PlateLayout
from micrographia.data.synthetic.translocation import TranslocationAssay
from micrographia.errors import UserError

ASSAYS = [TranslocationAssay, GolgiAssay]
SCATTERED = torch.tensor([5, 38_399, 0, 17, 18, 19, 20, 1234, 700, 701, 702, 703, 704, 705, 706, 707, 708, 709, 15_000])


@pytest.mark.parametrize("assay_class", ASSAYS)
@pytest.mark.parametrize("size", [32, 33, 64, 100])
def test_an_image_depends_on_its_index_only(assay_class, size):
    assay = assay_class("assay", size=size, layout=PlateLayout(cells=100))
    images = assay.images(SCATTERED)
    assert images.dtype == torch.float16
    assert images.shape == (19, 2, size, size)
    assert 0 <= images.min() < images.max() <= 1
    assert torch.equal(images, torch.cat([assay.images(index[None]) for index in SCATTERED]))
    assert torch.equal(
        images.flip(0), assay_class("again", size=size, layout=PlateLayout(cells=100)).images(SCATTERED.flip(0))
    )


@pytest.mark.parametrize("assay_class", ASSAYS)
def test_blocks_join_without_a_seam(assay_class):
    assay = assay_class("assay", size=32)
    indices = torch.arange(300)
    assert torch.equal(assay.images(indices)[250:], assay.images(indices[250:]))
    assert assay.images(indices[:0]).shape == (0, 2, 32, 32)


@pytest.mark.parametrize("assay_class", ASSAYS)
def test_the_truth_does_not_depend_on_other_rows(assay_class):
    assay = assay_class("assay")
    indices = torch.tensor([3, 9000, 77])
    table = assay.table(indices)
    assert table.index.tolist() == indices.tolist()
    assert table.equals(assay.table(torch.tensor([77, 3, 9000])).loc[[3, 9000, 77]])
    assert not table.isna().any(axis=None)
    assert (assay.targets(indices).numpy() == (table["class"] == "treated")).all()


def test_another_seed_gives_other_cells():
    one, other = TranslocationAssay("assay"), TranslocationAssay("assay", seed=1)
    indices = torch.arange(4)
    assert not (one.images(indices) == other.images(indices)).flatten(1).all(1).any()
    assert not (one.table(indices)["nuclear_fraction"] == other.table(indices)["nuclear_fraction"]).any()


def test_raw_counts_are_what_the_camera_gives():
    assay = TranslocationAssay("assay", camera=Camera(offset=300, white=60_000))
    raw, images = assay.raw(torch.arange(20)), assay.images(torch.arange(20)).float()
    assert raw.dtype == torch.uint16
    counts = raw.to(torch.int32).float()
    assert counts.min() > 200
    torch.testing.assert_close(images, counts / 60_000, atol=1e-3, rtol=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 20), st.integers(1, 3), st.integers(1, 5), st.integers(2, 9))
def test_parts_are_whole_wells_and_hold_every_dose(replicates, fields, cells, doses):
    layout = PlateLayout(list(range(doses)), replicates, fields, cells, {"train": 0.4, "val": 0.3, "test": 0.3})
    tables = [layout.table(layout.indices(part)) for part in PARTS]
    assert sum(map(len, tables)) == len(layout) == replicates * fields * cells * doses
    wells = [set(table["well"]) for table in tables]
    assert len(set.union(*wells)) == sum(map(len, wells)) == replicates * doses
    for table in tables:
        assert table["dose"].nunique() == doses
        assert (table.groupby("well")["dose"].nunique() == 1).all()
        assert (table["control"] == -1).equals(table["dose"] == 0)
        assert (table.groupby("field")["well"].nunique() == 1).all()


def test_cells_follow_the_dose_and_scatter_around_it():
    assay = TranslocationAssay("assay")
    table = assay.table(torch.arange(len(assay)))
    means = table.groupby("dose")["nuclear_fraction"].median()
    assert means.is_monotonic_increasing
    assert means.iloc[0] == pytest.approx(0.09, abs=0.01)
    assert means.iloc[-1] == pytest.approx(0.5, abs=0.03)
    assert (table.groupby("dose")["nuclear_fraction"].std() > 0.02).all()
    log_odds = np.log(table["nuclear_fraction"] / (1 - table["nuclear_fraction"]))
    wells = log_odds.groupby(table["well"]).mean()
    within = log_odds.groupby(table["well"]).std().mean()
    assert within == pytest.approx(0.45, abs=0.03)
    between = wells.groupby(table.groupby("well")["dose"].first()).std().mean()
    assert between == pytest.approx(np.hypot(0.12, 0.45 / np.sqrt(200)), abs=0.03)


def test_the_golgi_falls_apart_with_the_dose():
    assay = GolgiAssay("assay")
    table = assay.table(torch.arange(len(assay)))
    means = table.groupby("dose")[["spots", "mean_spot_area_px", "scatter_px"]].mean()
    assert means.iloc[-1]["spots"] > 3 * means.iloc[0]["spots"]
    assert means.iloc[-1]["scatter_px"] > 2 * means.iloc[0]["scatter_px"]
    assert means.iloc[-1]["mean_spot_area_px"] < 0.6 * means.iloc[0]["mean_spot_area_px"]


@pytest.mark.parametrize("assay_class", ASSAYS)
def test_the_crop_is_centred_on_its_nucleus(assay_class):
    assay = assay_class("assay", clean=True, confluence=(0.0, 0.0))
    images = assay.images(torch.arange(30))[:, 0].float()
    weights = (images - images.flatten(1).median(1).values[:, None, None]).clamp(min=0)
    places = torch.arange(64) - 31.5
    for axis in (1, 2):
        centre = (weights.sum(3 - axis) * places).sum(1) / weights.sum((1, 2))
        assert centre.abs().max() < 3


def test_neighbours_appear_where_the_monolayer_is_closed():
    alone, dense = (TranslocationAssay("assay", confluence=(share, share)) for share in (0.0, 1.0))
    indices = torch.arange(50)
    assert (alone.table(indices)["neighbours"] == 0).all()
    assert (dense.table(indices)["neighbours"] == 6).all()
    rim = torch.ones(64, 64, dtype=torch.bool)
    rim[8:-8, 8:-8] = False
    assert alone.images(indices)[:, 0, rim].max() < 0.2 < dense.images(indices)[:, 0, rim].max()
    assert TranslocationAssay("assay", field_um=84, confluence=(1.0, 1.0)).table(indices)["neighbours"].min() > 12


def test_a_stronger_objective_shows_the_same_cell_larger():
    small, large = (TranslocationAssay("assay", size=size, clean=True) for size in (64, 128))
    areas = [assay.table(torch.arange(20))["nucleus_area_px"] for assay in (small, large)]
    assert (areas[1] / areas[0]).to_numpy() == pytest.approx(4)


def test_the_camera_adds_noise_of_the_right_mean_deviation_and_skewness():
    camera = Camera(electrons=20, electrons_per_count=1e-3, read_noise=2, offset=0, white=60_000)
    light = torch.full((40, 1, 128, 128), 0.5)
    counts = camera.counts(light.clone(), torch.rand(40, generator=torch.manual_seed(0))).double() * 1e-3
    assert counts.mean() == pytest.approx(10, abs=0.05)
    assert counts.var() == pytest.approx(14, rel=0.02)
    third = ((counts - counts.mean()) ** 3).mean()
    assert third == pytest.approx(10, rel=0.15)


def test_noise_differs_from_image_to_image_and_can_be_left_out():
    noisy, clean = (TranslocationAssay("assay", clean=clean) for clean in (False, True))
    indices = torch.arange(6)
    noise = noisy.images(indices).float() - clean.images(indices).float()
    correlation = torch.corrcoef(noise.flatten(1)) - torch.eye(6)
    assert noise.std() > 0.002
    assert correlation.abs().max() < 0.05


@pytest.mark.parametrize("name", ["translocation", "golgi"])
def test_the_config_is_the_default(name):
    with initialize_config_dir(str(config_directory().absolute()), version_base="1.3"):
        node = OmegaConf.to_container(compose(overrides=[f"+data=synthetic/{name}"]).data, resolve=True)
    configured = instantiate(node, "data")
    default = {"translocation": TranslocationAssay, "golgi": GolgiAssay}[name](name)
    indices = torch.tensor([3, 12_000])
    assert len(configured) == len(default) == 19_200
    assert torch.equal(configured.images(indices), default.images(indices))
    assert configured.table(indices).equals(default.table(indices))
    with pytest.raises(UserError, match=r"data\.layout\.replicates=2"):
        instantiate({**node, "layout": {**node["layout"], "replicates": 2}}, "data")
    with pytest.raises(UserError, match=r"data\.camera\.elektrons: no such key"):
        instantiate({**node, "camera": {**node["camera"], "elektrons": 2}}, "data")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TranslocationAssay("assay", size=16), r"data\.size=16"),
        (lambda: TranslocationAssay("assay", field_um=3), r"data\.field_um=3"),
        (lambda: TranslocationAssay("assay", confluence=(0.9, 0.1)), r"data\.confluence"),
        (lambda: TranslocationAssay("assay", seed=-1), r"data\.seed=-1"),
        (lambda: TranslocationAssay("assay", shading=1), r"data\.shading=1"),
        (lambda: PlateLayout([1, 2]), r"data\.layout\.doses"),
        (lambda: PlateLayout(fields=0), r"data\.layout\.fields=0"),
        (lambda: PlateLayout(fractions={"train": 0.9}), r"sum to 1\.4, not to 1"),
        (lambda: PlateLayout(fractions={"training": 0.5}), r"fractions\.training: no such part"),
        (lambda: DoseResponse(0.0, 0.5), r"data\.response\.low=0\.0"),
        (lambda: DoseResponse(0.1, 0.5, ec50=0), r"data\.response\.ec50=0"),
        (lambda: Camera(electrons=0), r"data\.camera\.electrons=0"),
        (lambda: Camera(white=70_000), r"data\.camera\.white=70000"),
    ],
)
def test_mistakes_are_told(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_cells_outside_the_set_are_errors():
    with pytest.raises(IndexError):
        GolgiAssay("assay").images(torch.tensor([19_200]))


@pytest.mark.parametrize("assay_class", ASSAYS)
def test_a_crop_is_what_its_factors_say(assay_class):
    assay = assay_class("assay", size=32)
    crops = np.arange(40)
    truth = central_factors(*assay.draw(crops), assay.share_name)
    assert np.allclose(truth[assay.share_name], assay.table(torch.from_numpy(crops))[assay.share_name])
    images = assay.images(torch.from_numpy(crops)).float()
    assert torch.allclose(assay.of_factors(truth).float(), images, atol=2e-3)
    changed = assay.of_factors(truth.assign(**{assay.share_name: 0.9})).float()
    assert (changed[:, 0] - images[:, 0]).abs().mean() < 0.2 * (changed[:, 1] - images[:, 1]).abs().mean()


@pytest.mark.parametrize("assay_class", ASSAYS)
def test_drawn_factors_are_independent_and_of_no_part(assay_class):
    assay = assay_class("assay", size=32)
    drawn = assay.draw_factors(3000, np.random.default_rng(0))
    known = central_factors(*assay.draw(np.arange(3000)), assay.share_name)
    assert drawn.index.min() >= len(assay)
    assert np.abs(np.corrcoef(drawn.T.to_numpy()) - np.eye(drawn.shape[1])).max() < 0.08
    assert known.corr().loc["nucleus_radius_um", "cell_radius_um"] > 0.3
    assert np.abs(drawn.quantile(0.5) / known.quantile(0.5) - 1).drop(assay.share_name).max() < 0.1
    assert assay.of_factors(drawn.head(5)).shape == (5, 2, 32, 32)
