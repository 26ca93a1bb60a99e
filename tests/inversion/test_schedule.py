import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrographia.errors import UserError
from micrographia.inversion.schedule import Schedule, Settling


def test_published_course_at_500_steps():
    schedule = Schedule(500)
    expected = {0: 0.1, 112.5: 0.55, 225: 1.0, 337.5: 0.55, 450: 0.1, 475: 0.0505, 500: 0.001}
    assert schedule.factor(list(expected)) == pytest.approx(list(expected.values()))
    assert (schedule.peak_step, schedule.drop_step) == (225, 450)


@given(st.integers(1, 2000))
def test_between_final_and_one_and_a_constant_stays_one(steps):
    positions = np.arange(steps)
    factors = Schedule(steps).factor(positions)
    assert factors.min() >= 0.001
    assert factors.max() <= 1
    assert (Schedule(steps, initial=1.0, final=1.0).factor(positions) == 1).all()


def test_a_course_out_of_order_is_answered():
    with pytest.raises(UserError, match=r"peak=0\.95, drop=0\.9"):
        Schedule(10, peak=0.95)


def test_settling_depends_on_neither_scale_nor_constant():
    first, mean, best = np.array([10.0, 10.0]), np.array([1.0, 1.0]), np.array([0.9, 0.999])
    for scale, constant in [(1, 0), (1000, -5e4), (1e-3, 7)]:
        moved = [scale * values + constant for values in (first, mean, best)]
        assert Settling(tolerance=0.002).settled(*moved).tolist() == [False, True]
