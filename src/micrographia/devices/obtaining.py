"""A run that several processes make: one of them holds its lock, and leads the others."""

from collections.abc import Callable

from micrographia.devices.crew import assembled
from micrographia.errors import UserError
from micrographia.runs.run import How, Metrics, Run, What, finished_run, obtain


def obtain_together(what: What, how: How, recipe: Callable[[What, How, Run], Metrics], rerun: bool = False) -> Run:
    """Obtain a run as `micrographia.runs.run.obtain` does, with the processes that ``how.trainer`` asks for.

    Of tasks that Slurm has started with the same command the first makes the run; the others do what it orders, and
    return the run when it is made.

    Raises
    ------
    UserError
        In such a task, if the first one has ended without a result.
    """
    with assembled(how) as crew:
        if not crew.follows:
            return obtain(what, how, recipe, rerun)
        crew.follow()
    run = finished_run(what, how)
    if run is None:
        raise UserError("how.trainer: task 0 has ended without a result; its own messages say why.")
    return run
