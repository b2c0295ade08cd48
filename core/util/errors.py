"""The exceptions that a user is meant to read."""


class SteerError(Exception):
    """An error that the user can mend: the message says what happened and what to do.

    The command line prints it without a traceback and exits with status 2; pages and the API show it as it is.
    """


class NotFoundError(SteerError):
    """The thing does not exist, or the principal may not see it: the message does not say which."""


class ConflictError(SteerError):
    """Another request changed the same thing at the same time."""


class UnavailableError(SteerError):
    """The same request may well succeed in a moment.

    Args:
        message: Sentence for whoever asked.
        reason: Explanation for an operator; it names machines, which nobody else is told.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message
