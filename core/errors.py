"""The one exception that a user is meant to read."""


class SteerError(Exception):
    """Something that the user can mend: the message says what happened and what to do.

    The command line prints it without a traceback and exits with status 2; pages and the API show it as it is.
    """
