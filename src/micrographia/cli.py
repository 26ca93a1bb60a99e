"""The command line: verbs, their help, and the answer to every mistake. Nothing heavy is imported before the work."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from micrographia import __version__
from micrographia.config import HYDRA_SETTINGS
from micrographia.errors import UserError, answer
from micrographia.overrides import INPUTS
from micrographia.search_path import check_own_folders, config_file, hydra_initialized, say_shadows, with_folder
from micrographia.verbs import COMMANDS, VERBS, function_of

if TYPE_CHECKING:
    from micrographia.tasks.jobs import Job

# Options, most of them Hydra's, and the value that each takes.
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
LONG = {"-m": "--multirun", "-c": "--cfg", "-p": "--package", "-i": "--info"}
# What shows a configuration in place of a run, and the values that it takes.
SHOWN = {
    "--cfg": ("job", "hydra", "all"),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
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
    if verb not in VERBS and verb not in COMMANDS:
        raise UserError(f"{verb}: no such command. There are: {', '.join((*VERBS, *COMMANDS))}.")
    folder, rest = without_folder(map(with_quoted_path, rest))
    with with_folder(folder):
        if verb in COMMANDS:
            return int(function_of(COMMANDS[verb][0])(rest))
        if "-h" in rest or "--help" in rest:
            from micrographia.help import verb_help

            print(verb_help(verb, VERBS[verb][1]))
            return 0
        return run_verb(verb, rest)


def overview() -> str:
    """Text of ``micrographia --help``."""
    verbs = "\n".join(f"  micrographia {verb:<12} {about}" for verb, (_, about) in VERBS.items())
    others = "\n".join(f"  micrographia {verb:<12} {about}" for verb, (_, about) in COMMANDS.items())
    return (
        f"micrographia {__version__}: interpretable deep learning on microscopy images\n\n{verbs}\n{others}\n\n"
        "Each takes Hydra overrides (seed=1 data=image_folder data.root=PATH), -m for sweeps (seed=0,1,2),\n"
        "--cfg job to see the configuration, and --help. Without overrides each runs on its synthetic default.\n"
        "The last line on stdout is the run's folder.\n\n"
        "Configs of your own lie in ./micrographia_conf, in the folders that MICROGRAPHIA_CONF names, or in that of\n"
        "--config-dir FOLDER."
    )


def with_quoted_path(argument: str) -> str:
    """An override whose value is a path that Hydra could not read, quoted; any other argument as it is.

    A path that begins with ``~``, or one that is there and has spaces or other signs of Hydra's grammar in it.

    Examples
    --------
    >>> with_quoted_path("how.paths.runs=~/my runs"), with_quoted_path("~probes.mlp"), with_quoted_path("seed=0,1")
    ("how.paths.runs='~/my runs'", '~probes.mlp', 'seed=0,1')
    """
    key, joined, value = argument.partition("=")
    if not joined or key.startswith("-") or any(sign in value for sign in "'\","):
        return argument
    special = set(value) & set(" ()[]{}:=&%@?|") or not value.isascii()
    is_path = value.startswith("~") or (special and os.path.exists(value))  # noqa: PTH110  (a Path refuses long texts)
    return f"{key}='{value}'" if is_path else argument


def without_folder(arguments: Iterable[str]) -> tuple[str | None, list[str]]:
    """Folder of ``--config-dir``, which every verb takes, if it is given; and the other arguments.

    Raises
    ------
    UserError
        If its value is missing.

    Examples
    --------
    >>> without_folder(["seed=1", "--config-dir", "lab", "-m"]), without_folder(["--config-dir=lab"])
    (('lab', ['seed=1', '-m']), ('lab', []))
    """
    folder, others = None, []
    rest = iter(arguments)
    for argument in rest:
        name, joined, value = argument.partition("=")
        if name not in FOLDER:
            others.append(argument)
            continue
        folder = value if joined else next(rest, "")
        if not folder:
            raise UserError(f"{name}: no value given. Write {name} {FOLDER[name]}.")
    return folder, others


def run_verb(verb: str, arguments: list[str]) -> int:
    """Compose the verb's configuration with Hydra and make each run of it."""
    from micrographia.hydra_messages import explain, is_mistake
    from micrographia.presets import check_presets

    check_own_folders()
    options, overrides = split_arguments(arguments)
    overrides = [part for override in overrides for part in with_named_run(override)]
    check_presets(verb, overrides)
    try:
        confirmed = options.pop("--yes", None) is not None
        showing = not options.keys() <= SWEEPING.keys()
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
        say_shadows()
        jobs = run_jobs(verb, [*group_settings(verb, overrides, sweeping), *overrides], sweeping)
    except Exception as error:
        if not is_mistake(error):
            raise
        raise UserError(explain(error, verb, overrides)) from error
    return conclude(verb, jobs, sweeping)


def show_config(verb: str, options: Mapping[str, str], overrides: list[str]) -> int:
    """Let Hydra print a configuration or how it is composed (``--cfg``, ``--info``), and make no run.

    Raises
    ------
    UserError
        If options do not go together, or one has no such value.
    """
    asked = {LONG.get(name, name): value for name, value in options.items()}
    kind = next((name for name in SHOWN if name in asked), None)
    if kind is None or len(asked.keys() & {*SHOWN, "--multirun"}) > 1:
        raise UserError(f"{' and '.join(asked)}: give one of {' and '.join(SHOWN)}, without -m.")
    if asked[kind] not in SHOWN[kind]:
        raise UserError(f"{kind} {asked[kind]}: no such value. There are: {', '.join(SHOWN[kind])}.")
    with hydra_initialized(f"micrographia {verb}") as hydra:
        given = [*HYDRA_SETTINGS, *overrides]
        if kind == "--info":
            hydra.show_info(asked[kind], verb, given)
        else:
            hydra.show_cfg(verb, given, asked[kind], asked.get("--package"), "--resolve" in asked)
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
    if (
        key in INPUTS
        and value
        and not config_file(override.replace("=", "/")).is_file()
        and Path(value).expanduser().is_dir()
    ):
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
