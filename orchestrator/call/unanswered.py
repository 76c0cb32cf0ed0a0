"""Why there is no answer, while it is on its way from where it was found to the caller."""


class Unanswered(Exception):
    """No answer that can be kept: `kind` is one of `StepError`'s. Never leaves this package.

    Deliberately no OSError and no ValueError: `requests` and urllib3 let it through as it is.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
