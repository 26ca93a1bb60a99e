import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrographia.data.channels import map_channels
from micrographia.errors import UserError


def image_of(channels):
    """Channel i is filled with i + 1."""
    return np.broadcast_to(np.arange(1, channels + 1)[:, None, None], (channels, 2, 2))


def values(image):
    return image[:, 0, 0].tolist()


@pytest.mark.parametrize(("channels", "expected"), [(1, [1, 1, 1]), (2, [1, 2, 0]), (3, [1, 2, 3])])
def test_up_to_three_channels_follow_the_rule(channels, expected):
    mapping = map_channels([str(number) for number in range(channels)])
    assert values(mapping(image_of(channels))) == expected
    assert mapping.blank == tuple(number for number, value in enumerate(expected) if value == 0)


def test_more_channels_ask_and_name_them():
    with pytest.raises(UserError, match=r"have 4 channels.*0 \(DAPI\), 1 \(actin\), 2 \(ER\), 3 \(RNA\)"):
        map_channels(["DAPI", "actin", "ER", "RNA"])


@pytest.mark.parametrize("chosen", [["RNA", "DAPI", 1], [3, 0, 1], ["3", "0", "actin"]])
def test_names_and_numbers_choose(chosen):
    mapping = map_channels(["DAPI", "actin", "ER", "RNA"], chosen)
    assert values(mapping(image_of(4))) == [4, 1, 2]
    assert mapping.describe() == "RNA, DAPI, actin"


def test_fewer_chosen_follow_the_rule_too():
    assert map_channels(["a", "b", "c"], ["b"]).sources == (1, 1, 1)
    assert map_channels(["a", "b", "c"], ["c", "a"]).sources == (2, 0, None)


@pytest.mark.parametrize("chosen", [["GFP"], [3], [-1], [0, 1, 2, 0], []])
def test_wrong_choice_is_an_error_naming_the_channels(chosen):
    with pytest.raises(UserError, match=r"data\.channels: .*0 \(red\), 1 \(green\), 2 \(blue\)"):
        map_channels(["red", "green", "blue"], chosen)


@given(st.integers(1, 12), st.integers(1, 6), st.data())
def test_every_model_channel_is_a_chosen_one_or_zero(channels, model_channels, data):
    names = [f"c{number}" for number in range(channels)]
    most = min(channels, model_channels)
    chosen = data.draw(st.lists(st.sampled_from(range(channels)), min_size=1, max_size=most, unique=True))
    by_number = map_channels(names, chosen, model_channels)
    assert by_number == map_channels(names, [names[number] for number in chosen], model_channels)
    expected = [number + 1 for number in chosen]
    expected = expected * model_channels if len(expected) == 1 else expected + [0] * (model_channels - len(expected))
    assert values(by_number(image_of(channels))) == expected
    many = np.stack([image_of(channels)] * 2)
    assert (by_number(many)[1] == by_number(image_of(channels))).all()
