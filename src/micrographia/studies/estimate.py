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


def spoken(seconds: float | None) -> str:
    """A time as it is spoken.

    Examples
    --------
    >>> spoken(50), spoken(840), spoken(20000), spoken(400000), spoken(None)
    ('about 50 s left', 'about 14 min left', 'about 5.6 h left', 'about 4.6 days left', 'time left unknown')
    """
    if seconds is None:
        return "time left unknown"
    for size, unit, digits in ((86400 * 2, "days", 1), (5400, "h", 1), (90, "min", 0)):
        if seconds >= size:
            per = {"days": 86400, "h": 3600, "min": 60}[unit]
            return f"about {seconds / per:.{digits}f} {unit} left"
    return f"about {seconds:.0f} s left"
