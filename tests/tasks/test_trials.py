import importlib.util

import pytest

from micrographia.tasks.search_space import Choices, Interval
from micrographia.tasks.trials import StudyError, Trials, counted

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None, reason="micrographia[tune] is not installed"
)

SETTINGS = {
    "metric": "score/mig",
    "direction": "maximize",
    "trials": 6,
    "baseline": True,
    "random": 2,
    "seed": 0,
    "intermediate": "val/loss",
    "intermediate_direction": "minimize",
    "patience": 1,
    "warmup": 0,
}
SPACE = [Interval("model.beta", 1.0, 16.0, default=4.0), Choices("model", ("a", "b"), default="b")]


@pytest.fixture
def study(tmp_path):
    """Open the same study, each time as another process would."""
    opened = []

    def make(**settings):
        opened.append(Trials(tmp_path / "sweeps" / "train-beta.sqlite", SPACE, {**SETTINGS, **settings}))
        return opened[-1]

    yield make
    for trials in opened:
        trials.close()


def test_two_processes_share_the_trials_and_each_number_is_given_once(study):
    one, other = study(), study()
    taken = [taker.take() for taker in (one, other, one, other)]
    # a process that asks again has ended its former trial, or died in it: the number is given again
    assert [trial.number for trial in taken[:2]] == [0, 1]
    assert taken[2].number == 0
    one.done(taken[2], 0.5)
    other.done(taken[3], 0.25)
    assert [trial.state.name for trial in one.all()] == ["COMPLETE", "COMPLETE"]


def test_both_together_make_as_many_as_were_asked_for(study):
    takers, values = [study(), study(), study()], {}
    while found := [(taker, trial) for taker in takers if (trial := taker.take())]:
        for taker, trial in found:
            assert trial.number not in values
            values[trial.number] = tuple(trial.params.values())
            taker.done(trial, trial.params["model.beta"])
    assert sorted(values) == list(range(6))
    assert len(set(values.values())) == 6  # no two draw the same
    assert values[0] == (4.0, "b")
    assert counted(takers[0].all()).done == 6


def test_a_trial_of_a_living_process_is_left_alone(study):
    one = study()
    first = one.take()
    other = study()
    assert other.take().number == 1
    one.done(first, 1.0)
    assert one.take().number == 2


def test_what_a_dead_process_had_goes_on_under_its_number_with_its_values(study):
    dead = study()
    dead.done(dead.take(), 1.0)
    trial = dead.take()
    values = dict(trial.params)
    dead.reporter(trial)([3.0, 2.0])
    dead.close()
    alive = study()
    again = alive.take()
    assert (again.number, dict(again.params)) == (1, values)
    alive.reporter(again)([3.0, 2.0, 1.0])
    assert alive.all()[1].intermediate_values == {1: -3.0, 2: -2.0, 3: -1.0}
    alive.done(again, 1.0)
    assert [trial.number for trial in alive.all()] == [0, 1]


def test_the_same_trials_are_proposed_whatever_was_interrupted(study, tmp_path):
    def proposals(trials, count):
        found = []
        for _ in range(count):
            trial = trials.take()
            found.append(dict(trial.params))
            trials.done(trial, -abs(trial.params["model.beta"] - 5))
        return found

    whole = proposals(study(), 6)
    settings = {**SETTINGS}
    parts = []
    for _ in range(3):
        trials = Trials(tmp_path / "parts" / "train-beta.sqlite", SPACE, settings)
        parts += proposals(trials, 2)
        trials.close()
    assert parts == whole


def test_a_training_worse_than_the_others_is_stopped(study):
    trials = study(direction="maximize", intermediate_direction="minimize")
    good = trials.take()
    assert not trials.reporter(good)([1.0, 0.5])  # none to compare with
    trials.done(good, 1.0)
    bad = trials.take()
    assert trials.reporter(bad)([2.0])  # a loss above the other's at its first validation
    trials.stopped(bad)
    better = trials.take()
    assert not trials.reporter(better)([0.9])
    assert not trials.reporter(better)([0.9, 0.4])
    assert [trial.state.name for trial in trials.all()] == ["COMPLETE", "PRUNED", "RUNNING"]


def test_warmup_spares_the_first_validations(study):
    trials = study(warmup=1)
    good = trials.take()
    trials.reporter(good)([1.0, 0.5])
    trials.done(good, 1.0)
    bad = trials.take()
    report = trials.reporter(bad)
    assert not report([2.0])
    assert report([2.0, 2.0])


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "sweeps").write_text("a file")
    with pytest.raises(StudyError, match=r"sweeps/train-beta\.sqlite: cannot be written .*how\.paths\.runs"):
        Trials(tmp_path / "sweeps" / "train-beta.sqlite", SPACE, SETTINGS)


def test_a_locked_file_is_named(study, tmp_path, monkeypatch):
    import sqlite3

    monkeypatch.setattr("micrographia.tasks.trials.PATIENCE", 0.1)
    trials = study()
    holder = sqlite3.connect(tmp_path / "sweeps" / "train-beta.sqlite", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StudyError, match=r"train-beta\.sqlite: the study cannot be read .*database is locked"):
            trials.take()
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert trials.take().number == 0
