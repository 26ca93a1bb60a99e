"""The command line: verbs, their help, and the answer to every mistake. Nothing heavy is imported before the work."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from micrographia import __version__
from micrographia.config import HYDRA_SETTINGS, config_directory
from micrographia.errors import UserError, answer
from micrographia.verbs import VERBS

if TYPE_CHECKING:
    from micrographia.tasks.jobs import Job

# Groups whose choice is a run, which may also be named by its folder.
INPUTS = ("source", "generator", "flow", "encoder")
# Hydra's options, and the value that each takes.
SWEEPING = dict.fromkeys(("-m", "--multirun"), "")
FOLDER = dict.fromkeys(("-cd", "--config-dir"), "FOLDER")
CONFIRMED = {"--yes": ""}  # our own: start many jobs
OPTIONS = {
    **SWEEPING,
    **CONFIRMED,
    "--resolve": "",
    **dict.fromkeys(("-c", "--cfg"), "job"),
    **dict.fromkeys(("-p", "--package"), "KEY"),
    **dict.fromkeys(("-i", "--info"), "defaults-tree"),
    **FOLDER,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 2 a mistake in the input, 130 interrupted."""
    try:
        status = command(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        sys.exit(status)
    except BrokenPipeError:  # the reader of stdout has gone, as in --help | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (UserError, OSError) as error:
        print(f"micrographia: {answer(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("micrographia: interrupted. The same command goes on from the last checkpoint.", file=sys.stderr)
        sys.exit(130)


def command(arguments: list[str]) -> int:
    """Dispatch on the verb and return the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(overview())
        return 0
    verb, *rest = arguments
    if verb == "--version":
        print(__version__)
        return 0
    if verb == "data":
        from micrographia.tasks.data import data_command

        return data_command(rest)
    if verb == "study":
        from micrographia.tasks.study import study_command

        return study_command(rest)
    if verb == "report":
        from micrographia.tasks.report import report_command

        return report_command(rest)
    if verb == "export":
        from micrographia.tasks.export import export_command

        return export_command(rest)
    if verb not in VERBS:
        raise UserError(f"{verb}: no such command. There are: {', '.join(VERBS)}, study, report, export, data.")
    if "-h" in rest or "--help" in rest:
        from micrographia.help import verb_help

        print(verb_help(verb, VERBS[verb][1]))
        return 0
    return run_verb(verb, rest)


def overview() -> str:
    """Text of ``micrographia --help``."""
    verbs = "\n".join(f"  micrographia {verb:<10} {about}" for verb, (_, about) in VERBS.items())
    return (
        f"micrographia {__version__}: interpretable deep learning on microscopy images\n\n{verbs}\n"
        "  micrographia study      all sweeps of a study, then its tables and figures\n"
        "  micrographia report     one page of HTML for runs, a sweep or a study: tables, charts, sliders\n"
        "  micrographia export     a trained model as ONNX or safetensors, checked, with its model card\n"
        "  micrographia data       list and fetch public sets; look at any set before it is used\n\n"
        "Each takes Hydra overrides (seed=1 data=image_folder data.root=PATH), -m for sweeps (seed=0,1,2),\n"
        "--cfg job to see the configuration, and --help. Without overrides each runs on its synthetic default.\n"
        "The last line on stdout is the run's folder."
    )


def run_verb(verb: str, arguments: list[str]) -> int:
    """Compose the verb's configuration with Hydra and make each run of it."""
    from micrographia.hydra_messages import explain, is_mistake
    from micrographia.presets import check_presets

    options, overrides = split_arguments(arguments)
    overrides = [part for override in overrides for part in with_named_run(override)]
    check_presets(verb, overrides)
    try:
        confirmed = options.pop("--yes", None) is not None
        showing = not options.keys() <= {*SWEEPING, *FOLDER}
        if is_tuning(overrides):
            from micrographia.tasks.tuning import tune, without_search

            if not showing:
                return tune(verb, list(options), overrides)
            overrides = without_search(overrides)
        if showing:
            return show_config(verb, options, overrides)
        from micrographia.tasks.jobs import run_jobs
        from micrographia.tasks.sweep import group_settings, refuse_many

        sweeping = bool(options.keys() & SWEEPING)
        if sweeping and not confirmed:
            refuse_many(overrides)
        folder = next((options[name] for name in FOLDER if name in options), None)
        jobs = run_jobs(verb, [*group_settings(verb, overrides, sweeping), *overrides], sweeping, folder)
    except Exception as error:
        if not is_mistake(error):
            raise
        raise UserError(explain(error, verb, overrides)) from error
    return conclude(verb, jobs, sweeping)


def show_config(verb: str, options: Mapping[str, str], overrides: list[str]) -> int:
    """Let Hydra print a configuration or how it is composed (``--cfg``, ``--info``), and make no run."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, and we do the answering
    import hydra

    former = sys.argv
    given = [part for option in options.items() for part in option if part]
    sys.argv = [f"micrographia {verb}", *given, *HYDRA_SETTINGS, *overrides]
    try:
        hydra.main(version_base="1.3", config_path=str(config_directory()), config_name=verb)(lambda config: None)()
    finally:
        sys.argv = former
    return 0


def is_tuning(overrides: Sequence[str]) -> bool:
    """Whether a command's overrides ask for a tuning: ``sweep=optuna``."""
    return any(override.startswith("sweep=") and override != "sweep=none" for override in overrides)


def conclude(verb: str, jobs: "list[Job]", sweeping: bool) -> int:
    """Show the table of a sweep, then what became of its jobs; return the exit status."""
    if sweeping or len(jobs) > 1:
        from micrographia.tasks.sweep import summarise, tally

        try:
            if sweeping and len(jobs) > 1:
                summarise(verb, jobs)
        finally:
            print(tally(jobs), file=sys.stderr)
    return 2 if any(job.run is None for job in jobs) else 0


def with_named_run(override: str) -> list[str]:
    """An override that gives an input run by its folder, as Hydra wants it; any other as it is.

    Examples
    --------
    >>> with_named_run("generator=."), with_named_run("generator=trained")
    (['generator=path', 'generator.run=.'], ['generator=trained'])
    """
    key, _, value = override.partition("=")
    is_choice = (config_directory() / key / f"{value}.yaml").is_file()
    if key in INPUTS and value and not is_choice and Path(value).expanduser().is_dir():
        return [f"{key}=path", f"{key}.run={value}"]
    return [override]


def split_arguments(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Part Hydra's options, each with its value if it takes one, from the overrides.

    Hydra wants ``-m`` before or after all overrides, not among them.

    Raises
    ------
    UserError
        If there is no such option, or its value is missing.

    Examples
    --------
    >>> split_arguments(["seed=0,1", "-m", "--cfg", "job", "model=cnn"])
    ({'-m': '', '--cfg': 'job'}, ['seed=0,1', 'model=cnn'])
    """
    options: dict[str, str] = {}
    overrides: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            overrides.append(argument)
            continue
        name, joined, value = argument.partition("=")
        if name not in OPTIONS:
            shown = ", ".join(option for option in OPTIONS if option.startswith("--"))
            raise UserError(f"{name}: no such option. There are: -m, {shown}, --help. Keys are given as key=value.")
        if OPTIONS[name] and not joined:
            value = next(rest, "")
            if not value:
                raise UserError(f"{name}: no value given. Write {name} {OPTIONS[name]}.")
        options[name] = value
    return options, overrides
