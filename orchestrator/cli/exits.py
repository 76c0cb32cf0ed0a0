"""What an exit status of the command means, for scripts.

0 all went well; 1 a workflow did not complete, a test case failed, or `doctor` found something wrong; 2 what was asked
cannot be meant; 3 there is no such thing; 4 its state forbids that; 5 a server cannot be reached or started just now;
130 interrupted.
"""

from orchestrator.errors import Conflict, NotFound, OrchestratorError, StartKeyReused, Unavailable

OK = 0
FAILED = 1
WRONG = 2
NOT_FOUND = 3
CONFLICT = 4
UNAVAILABLE = 5
INTERRUPTED = 130

MEANINGS = (
    (OK, "all went well"),
    (FAILED, "a workflow did not complete, a test case failed, or doctor found something wrong"),
    (WRONG, "what was asked cannot be meant: options, definition, context, settings"),
    (NOT_FOUND, "no such workflow, definition or step"),
    (CONFLICT, "the workflow's status, or an earlier use of the key, forbids that"),
    (UNAVAILABLE, "a server cannot be reached or started just now"),
    (INTERRUPTED, "interrupted by Ctrl-C"),
)

_BY_ERROR: tuple[tuple[type[OrchestratorError], int], ...] = (
    (NotFound, NOT_FOUND),
    (Conflict, CONFLICT),
    (StartKeyReused, CONFLICT),
    (Unavailable, UNAVAILABLE),
)


def status_of(error: OrchestratorError) -> int:
    """The exit status for an error that ended a command."""
    return next((status for kind, status in _BY_ERROR if isinstance(error, kind)), WRONG)
