import importlib.util

import numpy as np
import pytest
from skimage.draw import disk

from micrographia.errors import UserError
from micrographia.measure.cellprofiler import require_cellprofiler, unit_of
from micrographia.measure.features import hand_made_features

INSTALLED = importlib.util.find_spec("cp_measure") is not None
needs_cellprofiler = pytest.mark.skipif(not INSTALLED, reason="micrographia[cellprofiler] is not installed")
BOTH = ("basic", "cellprofiler")


def discs(radius=12.3, brightness=(0.5, 0.25), side=64):
    """A disc in each of two channels, of constant brightness, and its mask."""
    mask = np.zeros((side, side), bool)
    mask[disk((32, 30), radius)] = True
    return (mask * np.array(brightness)[:, None, None])[None], mask[None]


@needs_cellprofiler
def test_a_disc_is_measured_as_it_was_drawn():
    images, masks = discs()
    table = hand_made_features(images, masks, ("DNA", "actin"), kinds=BOTH)
    row, units = table.iloc[0], table.attrs["units"]
    assert row["AreaShape_Area"] == row["area"] == masks.sum()
    assert row["AreaShape_Area"] == pytest.approx(np.pi * 12.3**2, rel=0.02)
    assert row["AreaShape_EquivalentDiameter"] == pytest.approx(2 * 12.3, rel=0.01)
    assert row[["AreaShape_Center_X", "AreaShape_Center_Y"]].tolist() == pytest.approx([30, 32], abs=0.1)
    assert row["AreaShape_Eccentricity"] == pytest.approx(0, abs=1e-6)
    assert row["Intensity_MeanIntensity_actin"] == pytest.approx(0.25)
    assert row["Intensity_IntegratedIntensity_DNA"] == pytest.approx(0.5 * masks.sum())
    assert {"Correlation_Pearson_DNA_actin", "Granularity_1_DNA", "Texture_Contrast_3_00_256_actin"} <= set(table)
    assert set(units) == set(table)
    assert units["AreaShape_Area"] == "px^2"
    assert not table.isna().all().all()
    assert table.dtypes.eq(float).all()


@needs_cellprofiler
def test_lengths_areas_and_moments_follow_the_size_of_a_pixel():
    images, masks = discs()
    plain, sized = (hand_made_features(images, masks, um_per_px=size, kinds=BOTH) for size in (None, 0.5))
    for name, power in (("AreaShape_Area", 2), ("AreaShape_MaxFeretDiameter", 1), ("AreaShape_CentralMoment_0_2", 4)):
        assert sized[name][0] == pytest.approx(plain[name][0] * 0.5**power)
        assert sized.attrs["units"][name].startswith("um")
    assert sized["AreaShape_Solidity"][0] == plain["AreaShape_Solidity"][0]


@needs_cellprofiler
def test_an_image_without_an_object_has_no_values_and_small_objects_have_some():
    images, masks = discs()
    masks = np.concatenate([np.zeros_like(masks), masks, masks * False])
    masks[2, 10, 10] = True
    table = hand_made_features(np.repeat(images, 3, axis=0), masks, kinds=("cellprofiler",))
    assert table.iloc[0].isna().all()
    assert table["AreaShape_Area"].tolist()[1:] == [masks[1].sum(), 1]
    assert "area" not in table
    assert hand_made_features(images, masks[:1], kinds=("cellprofiler",)).empty


@pytest.mark.skipif(INSTALLED, reason="micrographia[cellprofiler] is installed")
def test_a_missing_package_is_answered_with_the_extra():
    with pytest.raises(UserError, match=r"pip install 'micrographia\[cellprofiler\]'"):
        require_cellprofiler()


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("AreaShape_MeanRadius", "px"),
        ("AreaShape_BoundingBoxMinimum_X", "px"),
        ("AreaShape_SpatialMoment_1_2", "px^5"),
        ("AreaShape_Orientation", "degree, period 180"),
        ("AreaShape_EulerNumber", "1"),
        ("AreaShape_Zernike_2_2", "1"),
        ("Location_CenterMassIntensity_X_red", "px"),
        ("Intensity_MassDisplacement_red", "px"),
        ("Intensity_StdIntensityEdge_red", "share of the range"),
        ("RadialDistribution_ZernikePhase_1_1_red", "radian, period 6.283185307179586"),
        ("RadialDistribution_MeanFrac_1of4_red", "1"),
        ("Texture_SumEntropy_3_02_256_red", "bit"),
        ("Texture_SumVariance_3_02_256_red", "squared level of 256"),
        ("Correlation_RWC_1_red_blue", "1"),
    ],
)
def test_columns_have_their_units(column, unit):
    assert unit_of(column) == unit
