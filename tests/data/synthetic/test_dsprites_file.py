import zipfile

import numpy as np
import pytest
import torch

from micrographia.data.synthetic.dsprites_file import COUNTS, DSpritesFile, enlarge, read_dsprites
from micrographia.data.synthetic.texture_dsprites import TextureDSprites
from micrographia.errors import UserError


def write_small(path, images, key="imgs"):
    np.savez_compressed(path, **{key: images})
    return path


def write_full(path):
    """A file of dSprites' size: image i shows i in the bits of its first row, and has its last pixel set."""
    archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with archive, archive.open("imgs.npy", "w", force_zip64=True) as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (int(np.prod(COUNTS)), 64, 64)}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, int(np.prod(COUNTS)), 4096):
            images = np.zeros((4096, 64, 64), np.uint8)
            images[:, 0, :20] = np.arange(start, start + 4096)[:, None] >> np.arange(20) & 1
            images[:, -1, -1] = 1
            file.write(images.tobytes())


def test_bits_are_the_images(tmp_path):
    images = np.random.default_rng(0).integers(0, 2, (12, 64, 64), np.uint8)
    bits = read_dsprites(write_small(tmp_path / "small.npz", images), counts=(1, 2, 3, 2, 1))
    assert (np.unpackbits(bits, axis=1).reshape(12, 64, 64) == images).all()


def test_other_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_dsprites(tmp_path / "none.npz")
    with pytest.raises(UserError, match=r"holds imgs of shape \(4, 64, 64\)"):
        read_dsprites(write_small(tmp_path / "a.npz", np.zeros((4, 64, 64), np.uint8)))
    with pytest.raises(UserError, match="not a readable dSprites file"):
        read_dsprites(write_small(tmp_path / "b.npz", np.zeros((4, 64, 64), np.uint8), key="other"))
    (tmp_path / "c.npz").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"c\.npz is not a readable dSprites file"):
        read_dsprites(tmp_path / "c.npz")


@pytest.mark.parametrize("size", [64, 128, 224])
def test_enlarging_keeps_the_place_and_the_share_of_area(size):
    mask = np.zeros((1, 64, 64), np.uint8)
    mask[0, 10:20, 30:50] = 255
    for bilinear in (False, True):
        large = enlarge(mask, size, bilinear)[0] / 255
        assert large.mean() == pytest.approx(200 / 64**2, rel=0.01)
        assert np.average(np.arange(size) + 0.5, weights=large.sum(1)) / size == pytest.approx(15 / 64, abs=2e-3)
        assert np.average(np.arange(size) + 0.5, weights=large.sum(0)) / size == pytest.approx(40 / 64, abs=2e-3)


def test_bilinear_enlarging_of_a_full_mask_is_full():
    assert (enlarge(np.full((1, 64, 64), 255, np.uint8), 224, bilinear=True) == 255).all()


@pytest.mark.slow
def test_images_show_the_sprites_of_a_whole_file(tmp_path):
    path = tmp_path / "dsprites.npz"
    write_full(path)
    data = TextureDSprites("original", sprites=str(path))
    indices = data.draw_indices(50, 0, 0)
    images = data.images(indices)
    shown = (images[:, :, 0, :20] > 0).any(1).long() @ (1 << torch.arange(20))
    assert (shown == indices % int(np.prod(COUNTS))).all()  # texture and colour stand before dSprites' own factors
    assert (images[:, 0, -1, -1] > 0).all()
    masks, rows, columns = DSpritesFile(path, 224).place(*np.ones((5, 2), np.int64))
    assert masks.shape == (2, 224, 224)
    assert not rows.any()
    assert not columns.any()
