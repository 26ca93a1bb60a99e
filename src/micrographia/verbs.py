"""The verbs that make runs, and where each one's recipe is."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

# verb -> (module and function that makes the run, or a list of jobs; what --help says of it)
VERBS = {
    "train": ("micrographia.tasks.train:train", "train any model on any data"),
    "transfer": ("micrographia.tasks.transfer:transfer", "carry a source model to target images and classify them"),
    "superresolve": (
        "micrographia.tasks.superresolve:superresolve",
        "recover images from low resolution and measure them",
    ),
    "evaluate": ("micrographia.tasks.evaluate:evaluate", "score what the latents of finished runs mean"),
}
MANY = 200  # jobs of one command, beyond which they are started with --yes only


def recipe_of(verb: str) -> Callable[..., Any]:
    """The function that makes a verb's run from its configuration; what it needs is imported now."""
    module, function = VERBS[verb][0].split(":")
    made: Callable[..., Any] = getattr(import_module(module), function)
    return made
