"""How long a study still takes."""

from collections.abc import Sequence

from micrographia.studies.expansion import StudyJob


def seconds_left(jobs: Sequence[StudyJob], about: float | None = None) -> float | None:
    """Seconds that the unfinished jobs take one after the other; None where nothing tells.

    Of a sweep with finished jobs, as long as these took on average; of another one, its share of ``about``.

    Parameters
    ----------
    about
        Minutes that all jobs take, as the study's author states.
    """
    left = [job for job in jobs if not job.run]
    total = 0.0
    for sweep in dict.fromkeys(job.sweep for job in left):
        took = [float(job.run.result["seconds"]) for job in jobs if job.sweep == sweep and job.run]
        count = sum(job.sweep == sweep for job in left)
        if took:
            total += count * sum(took) / len(took)
        elif about is not None:
            total += 60 * about * count / len(jobs)
        else:
            return None
    return total
