"""What an override of the command line is about: what a run is, how it is executed, or Hydra itself."""

# Keys and groups that say how a run is executed.
EXECUTION = ("how", "logger", "sweep", "hydra")
# Keys whose value is a file or a folder: its content stands in the digest, so that a moved folder is the same run.
PATH_KEYS = ("root", "table", "sprites", "textures", "weights")
# The key that names a finished run: its weights, and its latents' names where it has any, stand in the digest.
RUN_KEY = "run"
# Groups whose choice is a run, which may also be named by its folder.
INPUTS = ("source", "generator", "flow", "encoder")


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
