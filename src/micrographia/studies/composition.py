"""Configurations of many jobs: composed once for what they have in common, since a composition takes half a second."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from omegaconf import DictConfig

from micrographia.runs.address import split_config
from micrographia.search_path import hydra_initialized, is_group


class Composer:
    """Compose jobs of one verb, as `micrographia.runs.address.composed` does one.

    A value of a key (``seed=1``) is set in a copy of what the others have in common, as Hydra itself sets it after it
    has merged the files; a choice of a group, an addition or a deletion is composed.
    """

    def __init__(self, verb: str):
        self.verb = verb
        self.common: dict[tuple[str, ...], DictConfig] = {}

    def __call__(self, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """*What* and *how* of a job; errors are Hydra's."""
        from hydra._internal.config_loader_impl import ConfigLoaderImpl
        from hydra.core.override_parser.overrides_parser import OverridesParser

        values = [override for override in overrides if is_value(override)]
        others = tuple(override for override in overrides if not is_value(override))
        if others not in self.common:
            self.common[others] = self.compose(others)
        config = deepcopy(self.common[others])
        ConfigLoaderImpl._apply_overrides_to_config(OverridesParser.create().parse_overrides(values), config)
        return split_config(config)

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Let Hydra compose."""
        from hydra import compose

        with hydra_initialized():
            return compose(self.verb, list(overrides))


def is_value(override: str) -> bool:
    """Whether an override sets a key that is there, and chooses from no group.

    Examples
    --------
    >>> [is_value(text) for text in ("seed=1", "data.size=64", "data=image_folder", "+extra=1", "probe@probes.a=gbt")]
    [True, True, False, False, False]
    """
    key = override.partition("=")[0]
    return not key.startswith(("+", "~")) and "@" not in key and not is_group(key)
