"""The error that a user can cause and mend."""


class UserError(Exception):
    """A mistake in the input: shown in one or two lines, without a traceback, and exit status 2.

    The message says what is wrong, where (file or key), and what to do.
    """
