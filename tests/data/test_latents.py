import copy
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from micrographia.data.datamodule import PARTS
from micrographia.data.latents import BLOCK, LatentCodes, mapping_fingerprint
from micrographia.errors import UserError
from micrographia.models.gan.generator import Generator


def latents(**keys):
    torch.manual_seed(0)
    model = SimpleNamespace(generator=Generator(32, 1, z_dim=6, w_dim=5, mapping_layers=2, channel_max=2))
    return LatentCodes(model, **{"count": 3000, "held_out": 500, **keys})


LATENTS = latents()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 3999), min_size=1, max_size=20))
def test_a_code_is_a_function_of_its_index(indices):
    chosen = torch.tensor(indices)
    alone = torch.cat([LATENTS.draw(index[None]) for index in chosen])
    assert torch.equal(LATENTS.draw(chosen), alone)
    torch.testing.assert_close(LATENTS.images(chosen), LATENTS.generator.mapping(alone))


def test_codes_are_normal_and_differ_between_blocks_and_seeds():
    codes = LATENTS.draw(torch.arange(3 * BLOCK))
    assert codes.mean().item() == pytest.approx(0, abs=0.03)
    assert codes.std().item() == pytest.approx(1, abs=0.03)
    assert not torch.equal(codes[:BLOCK], codes[BLOCK : 2 * BLOCK])
    assert not torch.equal(codes[:5], latents(seed=1).draw(torch.arange(5)))


def test_parts_share_no_code():
    parts = [set(LATENTS.indices(part).tolist()) for part in PARTS]
    assert [len(part) for part in parts] == [3000, 500, 500]
    assert set.union(*parts) == set(range(len(LATENTS)))


def test_training_reads_the_stream_in_order_and_begins_anew():
    drawn = torch.cat([LATENTS.draw_indices(1250, seed=0, step=step) for step in range(3)])
    assert torch.equal(drawn[:3000], LATENTS.indices("train"))
    assert torch.equal(drawn[3000:], LATENTS.indices("train")[:750])


def test_a_model_without_codes_is_answered():
    with pytest.raises(UserError, match=r"data\.generator: SimpleNamespace has no codes.*stylegan2"):
        LatentCodes(SimpleNamespace())


def test_a_generator_that_is_rounded_to_half_maps_the_same_codes():
    torch.manual_seed(0)
    whole, other = (Generator(32, 2, 8, 6, 2, 0.01, channel_base=128, channel_max=4) for _ in range(2))
    rounded = copy.deepcopy(whole)
    for weight in rounded.parameters():
        weight.data = weight.data.half().float()
    assert mapping_fingerprint(rounded) == mapping_fingerprint(whole)
    assert mapping_fingerprint(other) != mapping_fingerprint(whole)
