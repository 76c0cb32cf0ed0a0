"""One host that hangs, and the others: how many steps of these are called while its own wait in the same queue."""

import time

import requests

from tests.endurance.place import Place, load
from tests.system.services import Reply

HANGS = 30.0
EACH = 2_000
LOOK_SECONDS = 60.0


def measure(place: Place, share: int | None) -> list[str]:
    """Half of the steps call a host that takes 30 s; with at most `share` of these at once where it is given."""
    place.add_web()
    place.services.answer(slow=Reply(delay=HANGS))
    slow = {"targetUrl": f"{place.services.url.replace('127.0.0.1', 'localhost')}/slow", "timeout": 60}
    if share is not None:
        slow["limit"] = {"concurrency": share}
    quick = {"targetUrl": f"{place.services.url}/quick"}
    starts = [
        {"definition": {"type": name, "steps": {"call": step}}, "context": {}}
        for _ in range(250)
        for name, step in (("slow", slow), ("quick", quick))
    ]
    for _ in range(EACH // 250):
        answer = requests.post(f"{place.url}/api/workflows/batch", json={"workflows": starts}, timeout=120)
        assert answer.status_code == 202, answer.text
    place.add_worker()
    began, all_ended = time.monotonic(), "they had not all ended"
    while (passed := time.monotonic() - began) < LOOK_SECONDS:
        if _ended(place, "quick") == EACH and all_ended.startswith("they"):
            all_ended = f"all after {passed:.0f} s"
        time.sleep(0.5)
    limit = "no limit" if share is None else f"at most {share} at once for the slow host"
    ended = {name: _ended(place, name) for name in ("quick", "slow")}
    assert share is not None or ended["quick"] >= EACH / 2, f"the slow host holds up the others: {ended}"
    return [
        load(),
        f"{place.kind}, one worker of 100 calls at once, {limit}: after {LOOK_SECONDS:.0f} s",
        f"{ended['quick']} of {EACH} quick ones ended ({all_ended}), {ended['slow']} of {EACH} slow ones",
    ]


def _ended(place: Place, type_: str) -> int:
    return place.number("SELECT count(*) FROM workflows WHERE type = :type AND status = 'completed'", type=type_)
