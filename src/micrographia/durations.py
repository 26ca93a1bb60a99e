"""Times as people say them."""


def duration(seconds: float) -> str:
    """How long something took.

    Examples
    --------
    >>> duration(4.2), duration(75), duration(7300)
    ('4.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def time_left(seconds: float | None) -> str:
    """How long something still takes; None where nobody knows.

    Examples
    --------
    >>> time_left(50), time_left(840), time_left(20000), time_left(400000), time_left(None)
    ('about 50 s left', 'about 14 min left', 'about 5.6 h left', 'about 4.6 days left', 'time left unknown')
    """
    if seconds is None:
        return "time left unknown"
    for size, unit, digits in ((86400 * 2, "days", 1), (5400, "h", 1), (90, "min", 0)):
        if seconds >= size:
            per = {"days": 86400, "h": 3600, "min": 60}[unit]
            return f"about {seconds / per:.{digits}f} {unit} left"
    return f"about {seconds:.0f} s left"
