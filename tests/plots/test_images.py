import numpy as np
import pytest
import torch

from micrographia.plots.images import colour_images, contact_sheet, reconstructions_figure, traversal_figure


def test_one_channel_is_grey_and_three_are_kept():
    grey = colour_images(torch.full((1, 1, 2, 2), 0.5))
    assert grey.shape == (1, 2, 2, 3)
    assert (grey == 0.5).all()
    colour = torch.rand(2, 3, 4, 4)
    np.testing.assert_array_equal(colour_images(colour), colour.permute(0, 2, 3, 1).numpy())


def test_two_channels_are_green_and_magenta():
    pixels = torch.tensor([1.0, 0.0, 0.0, 1.0]).reshape(2, 2, 1, 1)
    np.testing.assert_allclose(colour_images(pixels).reshape(2, 3), [[0, 1, 0], [1, 0, 1]], atol=1e-6)


def test_bytes_are_scaled_and_overshoot_is_clipped():
    assert colour_images(torch.full((1, 1, 1, 1), 255, dtype=torch.uint8)).max() == 1
    assert colour_images(torch.full((1, 1, 1, 1), 1.2)).max() == 1


def test_missing_values_and_no_images_are_refused():
    with pytest.raises(ValueError, match="missing"):
        colour_images(torch.full((1, 1, 2, 2), float("nan")))
    with pytest.raises(ValueError, match="no images"):
        colour_images(torch.zeros(0, 3, 2, 2))


def test_originals_stand_above_their_reconstructions():
    originals = torch.rand(4, 1, 8, 8)
    axes = reconstructions_figure(originals, originals / 2).axes[0]
    assert len(axes.images) == 8
    first, below = axes.images[1], axes.images[5]
    np.testing.assert_allclose(first.get_array()[..., 0], originals[1, 0].numpy(), atol=1e-6)
    np.testing.assert_allclose(below.get_array()[..., 0], originals[1, 0].numpy() / 2, atol=1e-6)
    assert first.get_extent()[0] == below.get_extent()[0]
    # The vertical axis points down.
    assert first.get_extent()[3] < below.get_extent()[3]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["original", "reconstruction"]


def test_reconstructions_must_match():
    with pytest.raises(ValueError, match="shape"):
        reconstructions_figure(torch.rand(4, 1, 8, 8), torch.rand(3, 1, 8, 8))


def test_traversals_are_ordered_by_divergence():
    images = torch.arange(3.0)[:, None, None, None, None].expand(3, 5, 3, 6, 6) / 2
    axes = traversal_figure(images, ["Scale", "z1", "Shape"], [0.1, 2.0, 1.5], list("abcde"), "step").axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["z1\n2.00 nats", "Shape\n1.50 nats", "Scale\n0.10 nats"]
    assert [float(image.get_array().max()) for image in axes.images[::5]] == [0.5, 1.0, 0.0]
    assert [label.get_text() for label in axes.get_xticklabels()] == list("abcde")
    assert axes.get_xlabel() == "step"


def test_traversal_of_one_latent_in_grey():
    figure = traversal_figure(torch.rand(1, 3, 1, 4, 8), ["z0"], [1.0], list("abc"), "step")
    assert len(figure.axes[0].images) == 3
    with pytest.raises(ValueError, match="names"):
        traversal_figure(torch.rand(1, 3, 1, 4, 4), ["z0", "z1"], [1.0], list("abc"), "step")
    with pytest.raises(ValueError, match="titles"):
        traversal_figure(torch.rand(1, 3, 1, 4, 4), ["z0"], [1.0], ["a"], "step")


@pytest.mark.parametrize(("count", "columns", "tiles"), [(1, 8, 1), (8, 8, 8), (10, 4, 12)])
def test_contact_sheet_titles_every_image_at_its_place(count, columns, tiles):
    images = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, 1, 6, 6)
    titles = ["siphonophore_calycophoran_rocketship_young", *(f"class {index}" for index in range(1, count))]
    axes = contact_sheet(images, titles, columns).axes[0]
    assert len(axes.images) == tiles
    assert [text.get_text().replace("\n", "") for text in axes.texts] == titles
    for index, text in enumerate(axes.texts):
        image = axes.images[index]
        assert image.get_array().max() == pytest.approx(index / 255)
        left, _, _, top = image.get_extent()
        assert text.get_position()[0] == left
        assert text.get_position()[1] < top


def test_contact_sheet_needs_a_title_per_image():
    with pytest.raises(ValueError, match="titles"):
        contact_sheet(torch.rand(2, 3, 4, 4), ["one"])
    with pytest.raises(ValueError, match="no images"):
        contact_sheet(torch.rand(0, 3, 4, 4), [])


def test_dark_traversals_are_drawn_brighter_alike_and_that_is_said():
    images = torch.zeros(2, 3, 1, 8, 8)
    images[0], images[1, 1:] = 0.1, 0.2
    figure = traversal_figure(images, ["a", "b"], [2.0, 1.0], ["1", "2", "3"], "share below")
    axes = figure.axes[0]
    assert axes.get_xlabel() == "share below; drawn 4.5 times brighter"
    assert float(axes.images[0].get_array()[0, 0, 0]) == pytest.approx(0.45)
    bright = traversal_figure(images + 0.5, ["a", "b"], [2.0, 1.0], ["1", "2", "3"], "share below")
    assert bright.axes[0].get_xlabel() == "share below"
    assert float(bright.axes[0].images[0].get_array()[0, 0, 0]) == pytest.approx(0.6)
