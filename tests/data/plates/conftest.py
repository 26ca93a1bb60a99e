"""Plates made by the tests: fields with nuclei at known places, files named as the public sets name theirs."""

import numpy as np
import pytest
import tifffile
from PIL import Image

SIDE = 160
PLATES = {"Week1_22123": 1.0, "Week1_22141": 2.0, "Week2_24121": 1.0}
# Compound and concentration of each well; mechanisms stand in their own table.
WELLS = {
    "B02": ("DMSO", "0.0"),
    "B03": ("DMSO", "0.0"),
    "C02": ("taxol", "0.3"),
    "C03": ("taxol", "1.0"),
    "D02": ("emetine", "0.3"),
    "D03": ("emetine", "0.3"),
    "E02": ("water", "7.0"),
}
SITES = ("s1", "s2")


def places(seed):
    """Middles of nuclei on a jittered grid, one of them at the border."""
    random = np.random.default_rng(seed)
    grid = np.array([(row, column) for row in (40, 80, 120) for column in (40, 80, 120)])
    return np.vstack([grid + random.integers(-6, 7, grid.shape), [(4, 80)]])


def field(seed, level, gain=1.0, light=None):
    """A field ``(3, SIDE, SIDE)``, uint16: discs of nuclei, the second channel at a level, the third a gradient."""
    row, column = np.mgrid[:SIDE, :SIDE]
    dna = np.full((SIDE, SIDE), 200.0)
    for y, x in places(seed):
        dna += 3000 * (np.hypot(row - y, column - x) < 7)
    random = np.random.default_rng(seed)
    cells = np.stack([dna, 400 + level * (dna > 300), np.full_like(dna, 900.0)])
    cells = gain * cells * (1 if light is None else light)
    return np.rint(cells + random.normal(0, 10, cells.shape)).clip(0).astype(np.uint16)


@pytest.fixture
def plates(tmp_path):
    """BBBC021 in small: three plates of two weeks, seven wells, two fields each."""
    root = tmp_path / "bbbc021"
    lines = []
    for number, (plate, gain) in enumerate(PLATES.items()):
        (root / plate).mkdir(parents=True)
        for well_number, (well, (compound, concentration)) in enumerate(WELLS.items()):
            for site_number, site in enumerate(SITES):
                seed = 100 * number + 10 * well_number + site_number
                planes = field(seed, 500 if compound == "DMSO" else 1500, gain)
                names = []
                for wave, plane in zip(("w1", "w2", "w4"), planes, strict=True):
                    name = f"{plate.split('_')[0]}_150607_{well}_{site}_{wave}0A{seed:03}-AC92.tif"
                    tifffile.imwrite(root / plate / name, plane)
                    names.append(name)
                path = f"{plate.split('_')[0]}/{plate}"
                files = ",".join(f"{name},{path}" for name in names)
                lines.append(f"1,{seed},{files},{plate},{well},1,{compound},{concentration}")
    header = (
        "TableNumber,ImageNumber,Image_FileName_DAPI,Image_PathName_DAPI,Image_FileName_Tubulin,"
        "Image_PathName_Tubulin,Image_FileName_Actin,Image_PathName_Actin,Image_Metadata_Plate_DAPI,"
        "Image_Metadata_Well_DAPI,Replicate,Image_Metadata_Compound,Image_Metadata_Concentration"
    )
    (root / "BBBC021_v1_image.csv").write_text("\n".join([header, *lines]))
    # The mechanisms' lines end as they do upstream.
    mechanisms = "compound,concentration,moa\rtaxol,0.3,Microtubule stabilizers\rtaxol,1,Microtubule stabilizers\r"
    (root / "BBBC021_v1_moa.csv").write_bytes((mechanisms + "emetine,0.3,Protein synthesis\r").encode())
    return root


def write_bmp(path, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 24), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def write_plate_map(path, doses):
    """96 doses, row by row, under a line of words."""
    path.write_text("DESCRIPTION doses of a plate\n" + "\n".join(f"{dose:g}" for dose in doses))
