import numpy as np
import pytest

from micrographia.data.synthetic.sprites import ORIENTATIONS, SCALES, SHAPES, SIDE, DrawnSprites, draw_sprites

SIZE = 128


def place(sprites, **values):
    names = ("shape", "scale", "orientation", "pos_x", "pos_y")
    return sprites.place(*(np.atleast_1d(values.get(name, 0)) for name in names))


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_have_the_same_area_and_their_centroid_in_the_middle(shape):
    box = 101
    masks = draw_sprites(shape, 60.0, ORIENTATIONS, box, subpixels=4) / 255
    assert masks.sum((1, 2)) == pytest.approx(3600, rel=0.005)
    rows, columns = np.mgrid[0:box, 0:box]
    for position in (rows, columns):
        centroid = (masks * position).sum((1, 2)) / masks.sum((1, 2))
        assert centroid == pytest.approx((box - 1) / 2, abs=0.05)


@pytest.mark.parametrize(("shape", "period"), [("square", np.pi / 2), ("ellipse", np.pi), ("heart", 2 * np.pi)])
def test_shapes_repeat_after_their_period_and_not_before(shape, period):
    angles = np.array([0.3, 0.3 + period, 0.3 + period / 2])
    first, same, other = draw_sprites(shape, 40.0, angles, 61, subpixels=4) / 255
    assert np.abs(first - same).max() <= 1 / 16
    assert np.abs(first - other).sum() > 0.1 * first.sum()


def test_a_quarter_turn_is_a_rotation_of_the_mask():
    upright, turned = draw_sprites("heart", 40.0, np.array([0.0, np.pi / 2]), 61, subpixels=4)
    assert np.abs(np.rot90(upright, -1).astype(int) - turned).max() <= 255 / 16  # clockwise


def test_an_upright_heart_has_its_point_below():
    (mask,) = draw_sprites("heart", 40.0, np.zeros(1), 61)
    widths = (mask > 0).sum(1)
    filled = np.flatnonzero(widths)
    assert widths[filled[0]] > 3 * widths[filled[-1]]


def test_unknown_shape_is_an_error():
    with pytest.raises(ValueError, match="triangle is none of square, ellipse, heart"):
        draw_sprites("triangle", 10.0, np.zeros(1), 15)


@pytest.mark.parametrize("antialias", [False, True])
def test_area_grows_with_the_square_of_the_scale(antialias):
    sprites = DrawnSprites(SIZE, antialias)
    masks, _, _ = place(
        sprites,
        shape=np.full(6, 1),
        scale=np.arange(6),
        orientation=np.full(6, 7),
        pos_x=np.zeros(6, int),
        pos_y=np.zeros(6, int),
    )
    areas = masks.sum((1, 2), dtype=float) / 255
    assert areas == pytest.approx((SCALES * SIDE * SIZE) ** 2, rel=0.03)


@pytest.mark.parametrize("size", [16, 37, 64, 128, 224])
def test_every_sprite_lies_inside_the_image_and_inside_its_box(size):
    sprites = DrawnSprites(size)
    assert sprites.corners.min() >= 0
    assert sprites.corners.max() + sprites.box <= size
    assert sprites.corners[0] == size - sprites.corners[-1] - sprites.box  # as far from either side
    shape, orientation = (grid.ravel() for grid in np.mgrid[0:3, 0:40])
    full = np.full_like(shape, 5)
    masks, _, _ = sprites.place(shape, full, orientation, full, full)
    roomy = draw_sprites("ellipse", SIDE * size, ORIENTATIONS, sprites.box + 2)
    assert (masks[40:80].sum((1, 2), dtype=int) == roomy.sum((1, 2), dtype=int)).all()


def test_positions_are_one_pixel_apart_at_64_pixels():
    assert np.diff(DrawnSprites(64).corners).tolist() == [1] * 31


def test_masks_without_antialiasing_are_binary():
    shape, orientation = (grid.ravel() for grid in np.mgrid[0:3, 0:40])
    zero = np.zeros_like(shape)
    assert set(np.unique(DrawnSprites(64).place(shape, zero, orientation, zero, zero)[0])) == {0, 255}
    assert len(np.unique(DrawnSprites(64, antialias=True).place(shape, zero, orientation, zero, zero)[0])) > 8
