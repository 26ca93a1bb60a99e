"""The verbs: those that make runs, with their recipes, and the others. Help and completion know them from here."""

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
# other verb -> (module and function that answers its arguments with an exit status; what --help says of it)
COMMANDS = {
    "predict": (
        "micrographia.tasks.predict:predict_command",
        "classify, or super-resolve and measure, your own images by a finished run",
    ),
    "export": (
        "micrographia.tasks.export:export_command",
        "a trained model as ONNX or safetensors, checked, with its model card",
    ),
    "study": ("micrographia.tasks.study:study_command", "all sweeps of a study, then its tables and figures"),
    "report": (
        "micrographia.tasks.report:report_command",
        "one page of HTML for runs, a sweep or a study: tables, charts, sliders",
    ),
    "data": (
        "micrographia.tasks.data:data_command",
        "list and fetch public sets; look at any set before it is used",
    ),
    "doctor": (
        "micrographia.tasks.doctor:doctor_command",
        "what is installed, found and set here, and what to do about it",
    ),
    "completion": (
        "micrographia.completion.command:completion_command",
        "the script with which bash, zsh or fish completes commands",
    ),
}
# Options of other verbs, beside --help and --config-dir.
FLAGS = {
    "study": ("--dry-run", "--yes"),
    "report": ("--wandb",),
    "doctor": ("--json",),
}
MANY = 200  # jobs of one command, beyond which they are started with --yes only


def recipe_of(verb: str) -> Callable[..., Any]:
    """The function that makes a verb's run from its configuration; what it needs is imported now."""
    return function_of(VERBS[verb][0])


def function_of(place: str) -> Callable[..., Any]:
    """The function that ``module:function`` names."""
    module, function = place.split(":")
    made: Callable[..., Any] = getattr(import_module(module), function)
    return made
