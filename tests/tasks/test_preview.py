"""What ``micrographia data preview`` draws, and into which files."""

import numpy as np
import pytest
import torch
from PIL import Image

from micrographia.data.image_folder import ImageFolder
from micrographia.tasks.preview import file_names, preview, titles_of


def folder_of(root, classes, stem="{}"):
    for code, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(12):
            pixels = np.random.default_rng(100 * code + number).integers(0, 256, (16, 16), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{stem.format(number)}.png")
    return ImageFolder("set", str(root), 16)


@pytest.mark.parametrize("letter", ["n", "細"])
def test_long_names_of_classes_become_files_of_their_own(tmp_path, letter):
    long = letter * (250 if letter.isascii() else 80)
    data = folder_of(tmp_path / "set", (long, long[:-1] + "x"))
    data.setup()
    files = sorted(path.name for path in preview(data, tmp_path / "out", 3).iterdir())
    assert len(files) == 3
    assert all(len(name.encode()) < 140 for name in files)
    assert len(set(file_names([letter * 300 + end for end in "abc"]).values())) == 3


def test_letters_that_no_font_has_are_drawn_without_a_word(tmp_path, recwarn):
    data = folder_of(tmp_path / "set", ("細胞", "\U00012345"))
    data.setup()
    preview(data, tmp_path / "out", 3)
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_titles_tell_neighbours_apart(tmp_path):
    data = folder_of(tmp_path / "set", ("a", "b"), "B03_s1_w1245F53B5-B09F-48CE-924F-1D937FE36570_{}")
    data.setup()
    titles = titles_of(data, data.indices("train")[: torch.numel(data.indices("train")) // 2])
    assert len(set(titles)) == len(titles)
    assert all(title.startswith("B03_s1_w") for title in titles)
