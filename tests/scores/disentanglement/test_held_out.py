import numpy as np
import pytest

from micrographia.scores.disentanglement.held_out import train_and_test


def test_every_sample_is_in_one_part():
    train, test = train_and_test(10, 2 / 3, seed=1)
    assert sorted(np.concatenate([train, test])) == list(range(10))
    assert (train_and_test(10, 2 / 3, seed=1)[0] == train).all()
    assert not (train_and_test(10, 2 / 3, seed=2)[0] == train).all()


@pytest.mark.parametrize(("count", "share"), [(10, 0.0), (10, 1.0), (3, 0.9), (1, 0.5)])
def test_rejects_a_share_that_leaves_nothing(count, share):
    with pytest.raises(ValueError, match="train_fraction"):
        train_and_test(count, share, seed=0)
