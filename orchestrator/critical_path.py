"""Which steps a workflow's length hangs on: the last one to end, what it waited for longest, and so on back. Pure."""

from collections.abc import Mapping, Sequence


def critical_path(ended: Mapping[str, float], before: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The steps from first to last. `ended` holds when each ended (any unit; steps without a call are left out),
    `before` what each waits for. Of steps that ended at one moment the one that was given first counts.
    """
    if not ended:
        return ()
    path = [max(ended, key=ended.__getitem__)]
    while waited := [name for name in before.get(path[-1], ()) if name in ended]:
        path.append(max(waited, key=ended.__getitem__))
    return tuple(reversed(path))
