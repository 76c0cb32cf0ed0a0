"""Steps that are parked: whose service says only later what came of it, or that make no request at all."""

from collections.abc import Mapping

from orchestrator.definition import Approval, Callback, Poll, Wait
from orchestrator.jsontype import Json
from orchestrator.reading.checks import reads_in
from orchestrator.reading.place import Place


def check_awaiting(draft: Mapping[str, Json], at: Place) -> None:
    """What a step may say that makes no request, or whose service says only later what came of it."""
    for name in ("callback", "poll"):
        if name in draft and "targetUrl" not in draft:
            (at / name).fault("goes with targetUrl only: it is about the answer to a request")
    if "compensate" in draft and ("approval" in draft or "wait" in draft):
        (at / "compensate").fault("has nothing to undo: the step makes no request")
    if "callback" in draft and "poll" in draft:
        (at / "poll").fault("cannot be given beside callback: either the service calls, or it is asked")
    if "poll" in draft and "success" in draft:
        (at / "success").fault("has no meaning beside poll; say poll.done and poll.failed")
    _check_callback_reads(draft, at)


def _check_callback_reads(draft: Mapping[str, Json], at: Place) -> None:
    for field, value in draft.items():
        for place, references in reads_in(value, at / field):
            if "callback" in references.roots and ("callback" not in draft or field == "compensate"):
                place.fault("reads the callback, but only the request of a step with `callback` has one")


def awaited(draft: Mapping[str, Json]) -> dict[str, Json]:
    """What an attempt of the step is parked for."""
    made: dict[str, Json] = {}
    if "callback" in draft:
        made["callback"] = Callback(**draft["callback"])
    if "approval" in draft:
        made["approval"] = Approval(**draft["approval"])
    if "wait" in draft:
        made["wait"] = Wait(seconds=draft["wait"].get("for"), until=draft["wait"].get("until"))
    if "poll" in draft:
        made["poll"] = Poll(**draft["poll"])
    return made
