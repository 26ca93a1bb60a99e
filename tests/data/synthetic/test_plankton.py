import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from skimage.measure import label

from micrographia.data.datamodule import unit_range
from micrographia.data.synthetic.plankton import SimulatedPlankton
from micrographia.data.synthetic.plankton_factors import KINDS, RECIPE
from micrographia.measure.features import hand_made_features

CLEAN = SimulatedPlankton("plankton", nuisance=0)
NAMES = list(KINDS)


def absorbed(kind, size=64, index=0, **values):
    """Absorbance ``(n, size, size)`` of one clean specimen of a kind, upright, with values that broadcast to n."""
    count = max((np.size(value) for value in values.values()), default=1)
    number = NAMES.index(kind) + index * len(NAMES)
    objects = {name: np.repeat(drawn, count) for name, drawn in RECIPE.draw(np.array([number]), 0, 0).items()}
    upright = {"orientation": 0, "shift_x": 0, "shift_y": 0}
    objects |= {name: np.broadcast_to(np.asarray(value, float), count) for name, value in (upright | values).items()}
    images = SimulatedPlankton("plankton", size).rendered(objects)[:, 0].numpy().astype(float)
    return -np.log(np.maximum(images, 1) / images.max((1, 2), keepdims=True))


def of_kind(plankton, kind, count):
    return torch.arange(NAMES.index(kind), count * len(NAMES), len(NAMES))


@pytest.mark.parametrize("kind", ["copepod", "chaetognath", "noctiluca", "detritus", "diatom_chain"])
def test_measured_area_follows_the_body(kind):
    indices = of_kind(CLEAN, kind, 24)
    truth = CLEAN.table(indices)
    found = hand_made_features(unit_range(CLEAN.images(indices)).numpy())
    assert spearmanr(truth["length"] ** 2 * truth["width"], found["area"])[0] > 0.85


def test_measured_shape_tells_kinds_apart():
    found = {
        kind: hand_made_features(unit_range(CLEAN.images(of_kind(CLEAN, kind, 10))).numpy()).mean()
        for kind in ("noctiluca", "chaetognath", "appendicularian", "detritus")
    }
    assert found["noctiluca"]["roundness"] > 0.9
    assert found["detritus"]["roundness"] < 0.8
    assert found["chaetognath"]["elongation"] > 0.75
    assert found["appendicularian"]["solidity"] < 0.75


def test_it_is_the_same_grey_on_a_bright_ground_and_can_be_inverted():
    indices = torch.arange(16)
    images = CLEAN.images(indices)
    assert torch.equal(images[:, 0], images[:, 1])
    assert torch.equal(images[:, 0], images[:, 2])
    assert images.flatten(1).median(1).values.min() > 240
    inverted = SimulatedPlankton("plankton", nuisance=0, invert=True).images(indices)
    assert torch.equal(inverted, 255 - images)


def test_the_length_of_the_body_is_seen():
    lengths = np.array([0.3, 0.5, 0.7])
    images = absorbed("noctiluca", 128, length=lengths, width=0.8, bend=0)
    across = (images > 0.1).any(1).sum(1) / 128
    assert across == pytest.approx(lengths + 0.03, abs=0.03)  # with the outline


def test_segments_can_be_counted():
    segments = np.array([5, 8, 11])
    images = absorbed(
        "diatom_chain", 256, segments=segments, length=0.85, width=0.06, constriction=0.9, bend=0, outline=0
    )
    counted = [label(image[128 - 2 : 128 + 2].mean(0) > 0.55 * image.max()).max() for image in images]
    assert counted == segments.tolist()


def test_rays_can_be_counted():
    rays = np.array([8, 11, 14])
    images = absorbed("acantharian", 256, rays=rays, ray_length=0.45, length=0.1, roughness=0)
    angle = np.arange(2000) * np.pi / 1000
    rows, columns = (np.rint(127.5 + 0.26 * 256 * way(angle)).astype(int) for way in (np.sin, np.cos))
    for image, number in zip(images, rays, strict=True):
        beam = image[rows, columns] > 0.12
        assert (beam != np.roll(beam, 1)).sum() / 2 == pytest.approx(number, abs=1)


@pytest.mark.parametrize(
    ("kind", "factor", "values"),
    [
        ("copepod", "antenna_length", (0, 0.6, 1.1)),
        ("copepod", "tail_length", (0, 0.3, 0.55)),
        ("copepod", "opacity", (0.7, 1, 1.5)),
        ("appendicularian", "tail_length", (2, 2.6, 3.2)),
        ("noctiluca", "outline", (0.3, 0.8, 1.4)),
        ("noctiluca", "core", (0.2, 0.8, 1.4)),
        ("noctiluca", "core_size", (0.2, 0.3, 0.4)),
        ("hydromedusa", "rays", (4, 10, 16)),
        ("hydromedusa", "ray_length", (0.25, 0.35, 0.5)),
        ("hydromedusa", "ray_spread", (0.2, 0.4, 0.6)),
        ("detritus", "width", (0.4, 0.6, 0.9)),
    ],
)
def test_more_of_a_factor_absorbs_more_light(kind, factor, values):
    # At a ray density that stays the same, a wider fan holds more of them: rays count within the fan.
    density = absorbed(kind, 96, **{factor: np.array(values)}).sum((1, 2))
    if factor == "ray_spread":
        assert np.ptp(density) < 0.35 * density.mean()
    else:
        assert (np.diff(density) > 0).all()


def test_a_rough_outline_is_less_round():
    images = absorbed("detritus", 128, roughness=np.array([0.0, 0.5, 1.0]), bend=0, width=0.8, length=0.45)
    found = hand_made_features(np.exp(-images)[:, None])
    assert (np.diff(found["roundness"]) < -0.1).all()
    assert (np.diff(found["solidity"]) < 0).all()


@pytest.mark.parametrize("kind", NAMES)
def test_a_turned_plankter_is_the_turned_image(kind):
    one, turned = absorbed(kind, 64, orientation=np.array([0, np.pi / 2]))
    # Up to the noise of rounding and the smooth tables, which are looked up by whole places.
    assert np.abs(np.rot90(one, -1) - turned).mean() < 0.03 * max(np.abs(one - turned).mean(), 0.2)


def test_specks_lie_beside_the_body():
    none, some = absorbed("noctiluca", 64, specks=np.array([0, 4]))
    changed = np.abs(none - some) > 0.02
    assert 0 < changed.sum() < 0.05 * changed.size
    assert not changed[20:44, 20:44].any()


def test_the_whole_plankter_is_in_the_picture():
    for kind in NAMES:
        images = CLEAN.images(of_kind(CLEAN, kind, 40))[:, 0].float()
        frame = torch.ones(64, 64, dtype=torch.bool)
        frame[2:-2, 2:-2] = False
        dark = (images < 0.75 * images.amax((1, 2), keepdim=True)) & frame
        assert dark.flatten(1).any(1).float().mean() <= 0.2, kind
