"""What a tuning may change: intervals and choices of keys, as Hydra writes them on the command line."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from omegaconf import DictConfig, OmegaConf, open_dict

from micrographia.config import shown
from micrographia.errors import UserError, within
from micrographia.hydra_messages import explained
from micrographia.overrides import is_execution
from micrographia.search_path import hydra_initialized
from micrographia.tasks.jobs import checked_config
from micrographia.tasks.sweep import is_seed

# Where between its ends an interval is tried: at no round number.
BETWEEN = 1 / math.pi


@dataclass(frozen=True)
class Interval:
    """Numbers from ``low`` to ``high``, both included, that a key may have.

    Parameters
    ----------
    key
        As it stands before the ``=``.
    log
        Whether orders of magnitude are equally likely, rather than numbers.
    step
        Between two numbers, counted from ``low``; None: any number.
    whole
        Whether they are whole numbers.
    default
        What the key holds otherwise; None where that is no number of the interval.
    """

    key: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False
    default: float | None = None

    @property
    def first(self) -> float:
        """One of the numbers."""
        return self.low

    def override(self, value: Any) -> str:
        """The override that gives the key one of the numbers."""
        return f"{self.key}={value!r}"


@dataclass(frozen=True)
class Choices:
    """Values that a key or group may have, as they are written.

    Parameters
    ----------
    default
        That of the values which the key holds otherwise; None where it is none of them.
    """

    key: str
    values: tuple[str, ...]
    default: str | None = None

    @property
    def first(self) -> str:
        """One of the values."""
        return self.values[0]

    def override(self, value: Any) -> str:
        """The override that gives the key one of the values."""
        return f"{self.key}={value}"


Dimension = Interval | Choices


def split_overrides(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the overrides that hold a value from those that hold an interval or several values.

    Examples
    --------
    >>> split_overrides(["seed=1", "model.beta=interval(1,16)", "model=beta_vae,cnn", "data.kinds=[a,b]"])
    (['seed=1', 'data.kinds=[a,b]'], ['model.beta=interval(1,16)', 'model=beta_vae,cnn'])
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    swept = [override.is_sweep_override() for override in parsed]
    return (
        [text for text, several in zip(overrides, swept, strict=True) if not several],
        [text for text, several in zip(overrides, swept, strict=True) if several],
    )


def written(key: str, values: Any) -> str:
    """An entry of ``how.sweep.space`` as an override.

    Examples
    --------
    >>> written("optimizer.lr", {"low": 1e-5, "high": 1e-3, "log": True})
    'optimizer.lr=tag(log, interval(1e-05, 0.001))'
    >>> written("model", ["beta_vae", "factor_vae"]), written("model.beta", "interval(1, 4)")
    ('model=choice(beta_vae, factor_vae)', 'model.beta=interval(1, 4)')
    """
    if isinstance(values, str):
        return f"{key}={values}"
    if isinstance(values, Sequence):
        return f"{key}=choice({', '.join(shown(value) for value in values)})"
    if isinstance(values, Mapping) and {"low", "high"} <= values.keys() <= {"low", "high", "log"}:
        interval = f"interval({values['low']}, {values['high']})"
        return f"{key}=tag(log, {interval})" if values.get("log") else f"{key}={interval}"
    raise UserError(
        f"how.sweep.space: {key}: {shown(values)} is no interval. "
        "Write {low: 1, high: 16}, with log: true where orders of magnitude count, or a list of choices."
    )


def search_space(verb: str, fixed: Sequence[str], swept: Sequence[str]) -> list[Dimension]:
    """Read intervals and choices, and check each of their ends and values against the verb's configuration.

    Parameters
    ----------
    fixed
        Overrides that all trials have in common.
    swept
        Overrides with an interval or several values.

    Raises
    ------
    UserError
        At the first that does not fit.
    """
    config = composed(verb, fixed)
    dimensions: list[Dimension] = []
    for override in OverridesParser.create().parse_overrides(list(swept)):
        key = override.get_key_element()
        refuse(override)

        def accept(value: str, key: str = key) -> None:
            check_trial(verb, [*fixed, f"{key}={value}"])

        value = override.value()
        if isinstance(value, IntervalSweep | RangeSweep):
            dimensions.append(with_default(checked(interval(key, value), accept, config), config))
        else:
            dimensions.append(checked_choices(override, accept, config))
    check_together(verb, fixed, dimensions, config)
    return dimensions


def check_together(verb: str, fixed: Sequence[str], dimensions: Sequence[Dimension], config: DictConfig) -> None:
    """Refuse a group's choice that lacks a key which is tuned too: all of its trials would fail."""
    first = {dimension.key: dimension.override(dimension.first) for dimension in dimensions}
    if len(dimensions) < 2:
        return
    for dimension in dimensions:
        if isinstance(dimension, Choices) and bare(dimension.key) in config_choices(config):
            for value in dimension.values:
                chosen = dimension.override(value)
                with within(f"trials of {chosen}"):
                    check_trial(verb, [*fixed, *{**first, dimension.key: chosen}.values()])


def refuse(override: Override) -> None:
    """Refuse what is nothing to tune."""
    text, key = str(override.input_line), bare(override.get_key_element())
    if not override.is_sweep_override():
        raise UserError(f"{text}: one value, and nothing to tune. Write {key}=interval(LOW,HIGH) or {key}=choice(A,B).")
    if is_execution(key):
        raise UserError(f"{text}: says how a run is executed, which changes no result. Give it one value.")
    if is_seed(key):
        raise UserError(
            f"{text}: the best of several seeds is luck. Give one, and repeat the best command with -m {key}=0,1,2."
        )
    if not isinstance(override.value(), IntervalSweep | RangeSweep | ChoiceSweep):
        raise UserError(f"{text}: name the values, as {key}=choice(A,B).")


def interval(key: str, sweep: IntervalSweep | RangeSweep) -> Interval:
    """The numbers of Hydra's ``interval`` or ``range``."""
    low = sweep.start
    if isinstance(sweep, RangeSweep):
        assert sweep.start is not None
        assert sweep.stop is not None
        steps = math.ceil((sweep.stop - sweep.start) / sweep.step) - 1
        high: float | None = sweep.start + steps * sweep.step
        step: float | None = sweep.step
    else:
        high, step = sweep.end, None
    assert low is not None
    assert high is not None
    found = Interval(key, low, high, "log" in sweep.tags, step, isinstance(low, int) and isinstance(high, int))
    if unknown := sorted(set(map(str, sweep.tags)) - {"log"}):
        raise UserError(f"{key}: tag({unknown[0]}, ...): no such tag. There is log, for orders of magnitude.")
    if not low < high:
        raise UserError(f"{key}: an interval from {low} to {high} is empty. Write interval(LOW,HIGH).")
    if found.log and (low <= 0 or step):
        raise UserError(f"{key}: tag(log, ...) takes an interval of positive numbers, not {low} to {high}.")
    return found


def checked(dimension: Interval, accept: Callable[[str], None], config: DictConfig) -> Interval:
    """An interval whose ends the key takes; of whole numbers where it takes no others."""
    held = OmegaConf.select(config, bare(dimension.key))
    if bare(dimension.key) in config_choices(config):
        raise UserError(f"{dimension.key}: a group takes one of its choices. Write {dimension.key}=choice(A,B).")
    if held is not None and (isinstance(held, bool) or not isinstance(held, int | float)):
        raise UserError(
            f"{dimension.key}: holds {shown_briefly(held)}, which is no number. Write {dimension.key}=choice(A,B)."
        )
    if not dimension.whole and dimension.step is None:
        try:
            accept(repr(dimension.low + BETWEEN * (dimension.high - dimension.low)))
        except UserError:
            if not (float(dimension.low).is_integer() and float(dimension.high).is_integer()):
                raise
            dimension = replace(dimension, low=int(dimension.low), high=int(dimension.high), whole=True)
    for end in (dimension.low, dimension.high):
        accept(repr(end))
    return dimension


def with_default(dimension: Interval, config: DictConfig) -> Interval:
    """An interval that knows what the key holds otherwise, where that is one of its numbers."""
    held = OmegaConf.select(config, bare(dimension.key))
    if held is None or not dimension.low <= held <= dimension.high or (dimension.whole and held != int(held)):
        return dimension
    if dimension.step and not math.isclose(0, math.remainder(held - dimension.low, dimension.step), abs_tol=1e-9):
        return dimension
    return replace(dimension, default=int(held) if dimension.whole else float(held))


def checked_choices(override: Override, accept: Callable[[str], None], config: DictConfig) -> Choices:
    """Choices that the key or group takes, and which of them it holds otherwise."""
    key = override.get_key_element()
    values = tuple(str(value) for value in override.sweep_string_iterator())
    for value in values:
        accept(value)
    groups = config_choices(config)
    if bare(key) in groups:
        held = groups[bare(key)]
        return Choices(key, values, next((value for value in values if value == str(held)), None))
    held = OmegaConf.select(config, bare(key))
    parser = OverridesParser.create()
    meant = {value: parser.parse_override(f"{bare(key)}={value}").value() for value in values}
    return Choices(key, values, next((value for value, meaning in meant.items() if meaning == held), None))


def bare(key: str) -> str:
    """A key without the sign that adds it."""
    return key.lstrip("+")


def shown_briefly(value: Any) -> str:
    """A value as it is written; several keys in one word."""
    return "several keys" if isinstance(value, DictConfig) else shown(value)


def config_choices(config: DictConfig) -> dict[str, Any]:
    """What a composed configuration has chosen of each group."""
    return dict(config.hydra.runtime.choices)


def composed(verb: str, overrides: Sequence[str]) -> DictConfig:
    """A verb's configuration, with what Hydra knows of its composition under ``hydra``."""
    with hydra_initialized():
        return compose(verb, list(overrides), return_hydra_config=True)


def check_trial(verb: str, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """*What* and *how* of a trial, checked as those of any command.

    Raises
    ------
    UserError
        At the first key that does not exist, or value that does not fit.
    """
    with explained(verb, overrides):
        config = composed(verb, overrides)
    with open_dict(config):
        config.pop("hydra")
    return checked_config(config, overrides)
