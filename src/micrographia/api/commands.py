"""The commands as functions: the same runs at the same addresses, returned instead of printed."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import ArrayLike

from micrographia.api.arrays import as_images, data_of
from micrographia.api.figures import Page
from micrographia.api.kernel import kept_as_it_was
from micrographia.api.results import Results
from micrographia.api.run import Run
from micrographia.api.runs import Runs
from micrographia.api.settings import Overrides, overrides_of
from micrographia.api.study import Study
from micrographia.cli import is_tuning
from micrographia.errors import UserError
from micrographia.overrides import is_execution
from micrographia.verbs import VERBS

if TYPE_CHECKING:
    from micrographia.tasks.jobs import Job


def train(*, overrides: Overrides = None, **settings: Any) -> Run:
    """Train any model on any data, as ``micrographia train`` does.

    A finished run is returned and not made again; an interrupted one goes on from its last checkpoint; one that another
    process is making is waited for.

    Parameters
    ----------
    overrides
        Settings by their keys in the configuration: a dictionary, as ``{"model.beta": 4}``, or a list of texts as on
        the command line, as ``["model.beta=4"]``.
    settings
        The same as keyword arguments: ``model="beta_vae"``, ``data="synthetic/cells"``, ``seed=1``,
        ``experiment="drl/source"``, ``budget={"steps": 100}``, ``how={"threads": 1}``. None is null.

    Raises
    ------
    UserError
        If a setting is wrong, in one or two lines.
    """
    return one_run("train", overrides_of(settings, overrides))


def transfer(
    images: ArrayLike | None = None,
    classes: Sequence[Any] | pd.DataFrame | None = None,
    /,
    *,
    overrides: Overrides = None,
    **settings: Any,
) -> Run:
    """Carry a source model to target images and classify them from its latents, as ``micrographia transfer`` does.

    Parameters
    ----------
    images
        The target's images, ``(n, channels, height, width)`` or, of one channel, ``(n, height, width)``, of numpy or
        torch: 8 or 16 bit, or real numbers. None: what ``data`` says.
    classes
        Their classes, one each; or a table with a row per image and a column ``class``, whose other columns
        ``data.group`` and ``contrast`` may name.
    overrides, settings
        As of `train`: ``data="plankton/ndsb"``, ``source="pretrained/beta_vae"`` or a `Run`, ``labels=10``, ``seed=1``.

    Raises
    ------
    UserError
        If a setting is wrong, or the array is no array of images.
    """
    given = overrides_of(settings, overrides)
    if images is None and classes is not None:
        raise UserError("classes: of which images? Give both: transfer(images, classes).")
    if images is not None:
        if classes is None:
            raise UserError("classes: a transfer needs them, one per image: transfer(images, classes).")
        given = [*overrides_of(data_of(images, classes, cache_of("transfer", given))), *given]
    return one_run("transfer", given)


def superresolve(
    images: ArrayLike | None = None,
    table: pd.DataFrame | None = None,
    /,
    *,
    overrides: Overrides = None,
    **settings: Any,
) -> Run:
    """Recover images from low resolution and measure them, as ``micrographia superresolve`` does.

    Parameters
    ----------
    images
        Low-resolution images, ``(n, channels, height, width)`` or, of one channel, ``(n, height, width)``, of numpy or
        torch; or high-resolution ones, which are reduced first: their size decides, or ``given``. Values are scaled as
        the generator's images were; real numbers in 0..1 are taken as they are. None: what ``data`` says.
    table
        What is known of them, a row each, as wells and doses that ``contrast`` names.
    overrides, settings
        As of `train`: ``generator="pretrained/translocation"`` or a `Run`, ``methods={"rls": {"solutions": 8}}``,
        ``measurement="golgi"``, ``images=4`` (how many of ``data``).

    Raises
    ------
    UserError
        If a setting is wrong, or images and generator do not fit each other.
    """
    given = overrides_of(settings, overrides)
    if images is None and table is not None:
        raise UserError("table: of which images? Give both: superresolve(images, table).")
    if images is not None:
        data = data_of(images, table, cache_of("superresolve", given))
        data["data.model_channels"] = as_images(images).shape[1]
        given = [*overrides_of(data), *given]
    return one_run("superresolve", given)


def evaluate(run: Run | str | Path, /, *, overrides: Overrides = None, **settings: Any) -> Run:
    """Score what the latents of a finished run mean, as ``micrographia evaluate`` does.

    Parameters
    ----------
    run
        A `Run` of `train` or `transfer`, its folder, or ``pretrained/NAME``.
    overrides, settings
        As of `train`: ``only=["mig", "omes"]``, ``data="synthetic/plankton"``.

    Raises
    ------
    UserError
        If a setting is wrong, or the run holds no VAE.
    """
    return one_run("evaluate", overrides_of({"run": run, **settings}, overrides))


def sweep(verb: str, /, *, overrides: Overrides = None, yes: bool = False, **settings: Any) -> Runs:
    """Make a run for each combination of several values, as ``-m`` does.

    A job that fails leaves the others alone: see `Runs.failed`. The sweep's table is written beside the runs, too.

    Parameters
    ----------
    verb
        ``train``, ``transfer``, ``superresolve`` or ``evaluate``.
    overrides
        As of `train`; in texts several values stand with commas between, as ``"source.model.beta=1,2,4"``.
    yes
        Start more than 200 jobs.
    settings
        As of `train`; a list is several values: ``seed=[0, 1, 2]``. A value that is a list itself stands in a list of
        its own: ``only=[["mig", "omes"]]``.

    Raises
    ------
    UserError
        If a setting is wrong in all jobs.
    """
    from micrographia.tasks.sweep import refuse_many, summarise

    given = overrides_of(settings, overrides, sweeping=True)
    if not yes:
        try:
            refuse_many(given)
        except UserError as error:
            raise UserError(str(error).replace("Add --yes", "Say yes=True")) from None
    jobs = made(verb, given, sweeping=True)
    if len(jobs) > 1:
        summarise(verb, jobs)
    return Runs(jobs)


def study(
    name: str | Path,
    /,
    *,
    budget: str = "smoke",
    overrides: Overrides = None,
    yes: bool = False,
    **settings: Any,
) -> Study:
    """Make what is missing of all sweeps of a study, then its tables and figures, as ``micrographia study`` does.

    Parameters
    ----------
    name
        Of a study that ships, or its file.
    budget
        How much is made: ``smoke``, ``standard`` or ``paper``.
    overrides, settings
        For all jobs, over what the study says.
    yes
        Start more than 200 jobs.

    Raises
    ------
    UserError
        If the study, its budget or a setting is wrong.
    """
    from micrographia.studies.reading import find_study
    from micrographia.tasks.study import folder_of, run_study

    given = overrides_of(settings, overrides)
    found = find_study(str(name))
    chosen = found.budget(budget)
    with kept_as_it_was(), redirect_stdout(io.StringIO()):
        run_study(found, chosen, given, yes=yes)
    return Study(folder_of(found, chosen, given))


def report(
    *paths: Run | Runs | Study | str | Path, output: str | Path | None = None, megabytes: float | None = None
) -> Page:
    """Write runs, a sweep or a study as one page of HTML, as ``micrographia report`` does.

    Parameters
    ----------
    paths
        Runs, or folders of runs, tables of sweeps, folders of studies.
    output
        The file; None takes ``runs/reports/NAME.html``.
    megabytes
        What the page stays below.

    Returns
    -------
    Page
        Its file, as ``.path``; a notebook shows it in a frame.

    Raises
    ------
    UserError
        If nothing lies there, or the page cannot be written.
    """
    from micrographia.tasks.report import settings as settings_of
    from micrographia.tasks.report import write_page

    each = [result for item in paths for result in (item if isinstance(item, Runs) else [item])]
    named = [result.place if isinstance(result, Results) else str(result) for result in each]
    if not named:
        raise UserError("report: name a run, its folder, a folder of runs, a sweep's CSV or a study.")
    given = {key: value for key, value in (("output", output), ("megabytes", megabytes)) if value is not None}
    what, how = settings_of(overrides_of(given))
    return Page(write_page(named, what, how))


def one_run(verb: str, overrides: list[str]) -> Run:
    """The run of a command.

    Raises
    ------
    UserError
        If there is none, with what the command would say.
    """
    jobs = made(verb, overrides)
    if len(jobs) > 1:
        raise UserError(f"{verb}: {len(jobs)} runs. sweep({verb!r}, ...) returns them all.")
    (job,) = jobs
    if job.run is None:
        raise UserError(job.mistake)
    return Run(job.run.folder, job.run.found)


def made(verb: str, overrides: list[str], sweeping: bool = False) -> "list[Job]":
    """The jobs of a command, as `micrographia.cli` makes them; what Hydra answers is said in our words."""
    from micrographia.hydra_messages import explain, is_mistake
    from micrographia.presets import check_presets
    from micrographia.tasks.jobs import run_jobs
    from micrographia.tasks.sweep import group_settings

    if verb not in VERBS:
        raise UserError(f"{verb}: no such command. There are: {', '.join(VERBS)}.")
    check_presets(verb, overrides)
    if is_tuning(overrides):
        raise UserError("sweep=optuna: a tuning is a command of the terminal. sweep(...) makes a run of each value.")
    mistake = ""
    try:
        with kept_as_it_was():
            return run_jobs(verb, [*group_settings(verb, overrides, sweeping), *overrides], sweeping, quiet=True)
    except Exception as error:
        if not is_mistake(error):
            raise
        mistake = explain(error, verb, overrides)
    raise UserError(mistake)


def cache_of(verb: str, overrides: Sequence[str]) -> Path:
    """Where caches lie by a call's overrides."""
    from micrographia.tasks.composing import composed_for

    how = composed_for(verb, [override for override in overrides if is_execution(override.partition("=")[0])])[1]
    return Path(how["paths"]["cache"])
