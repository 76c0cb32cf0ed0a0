"""One durable call, as a definition. What is called and sent is its context, so that few versions do for all calls."""

from functools import lru_cache

from orchestrator.definition import Definition
from orchestrator.durations import seconds_in
from orchestrator.errors import Fault
from orchestrator.jsontype import Json
from orchestrator.reading import read_document
from orchestrator.web_address import fault_of_address

TYPE = "task"
RETRIES, TIMEOUT = 3, 30.0
MOST_RETRIES, LONGEST_TIMEOUT = 100, 3_600.0


def read_call(given: dict[str, Json], faults: list[Fault]) -> tuple[Definition, Json] | None:
    """The definition and the context of the call that was asked for; None where faults were added."""
    before = len(faults)
    if (wrong := fault_of_address("targetUrl", given.get("targetUrl"))) is not None:
        faults.append(wrong)
    retries = given.get("retries", RETRIES)
    if not isinstance(retries, int) or isinstance(retries, bool) or not 0 <= retries <= MOST_RETRIES:
        faults.append(Fault("retries", f"must be a whole number from 0 to {MOST_RETRIES}"))
    timeout = _seconds(given.get("timeout", TIMEOUT))
    if timeout is None or not 0 < timeout <= LONGEST_TIMEOUT:
        faults.append(Fault("timeout", "must be seconds or a duration such as 90s, more than 0 and at most 1h"))
    if len(faults) > before:
        return None
    return call_definition(retries, timeout or TIMEOUT), {
        "targetUrl": given["targetUrl"],
        "payload": given.get("payload", {}),
    }


@lru_cache(256)
def call_definition(retries: int, timeout: float) -> Definition:
    """The definition of a call; `timeout` is seconds for one attempt."""
    return read_document(
        {
            "type": TYPE,
            "description": "One durable call (POST /api/tasks).",
            "steps": {
                "call": {
                    "targetUrl": "${context.targetUrl}",
                    "payload": "${context.payload}",
                    "retries": retries,
                    "timeout": timeout,
                }
            },
            "output": "${steps.call.result}",
        }
    )


def _seconds(value: Json) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return seconds_in(value) if isinstance(value, str) else None
