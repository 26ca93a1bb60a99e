"""What an override of the command line is about: what a run is, how it is executed, or Hydra itself."""

# Keys and groups that say how a run is executed.
EXECUTION = ("how", "logger", "sweep", "hydra")


def is_execution(key: str) -> bool:
    """Whether a key, or a group, says how a run is executed.

    Examples
    --------
    >>> [is_execution(key) for key in ("how.threads", "how/trainer", "+logger", "data.size", "model/network")]
    [True, True, True, False, False]
    """
    return key.lstrip("+~").split(".")[0].split("/")[0] in EXECUTION


def is_hydra(override: str) -> bool:
    """Whether an override is of Hydra itself, as ``hydra/launcher=joblib``."""
    return override.lstrip("+~").startswith(("hydra/", "hydra."))
