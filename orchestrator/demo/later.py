"""Services that are not done when they answer: one is asked how it stands, one tells its caller by itself."""

import json
import threading
import time
import urllib.error
import urllib.request

from orchestrator.jsontype import Json

_TRIES = 5
# Whatever proxy the environment names is not for who is on this host.
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Reports:
    """The reports that are being made; one takes `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begun: dict[str, float] = {}

    def begin(self, report: str) -> None:
        """Start to make it; a second time changes nothing."""
        self._begun.setdefault(report, time.monotonic())

    def state(self, report: str) -> Json:
        """How it stands, None for one that nobody asked for."""
        begun = self._begun.get(report)
        if begun is None:
            return None
        if time.monotonic() - begun < self._seconds:
            return {"state": "working"}
        return {"state": "done", "rows": 1_204}


def tell_later(url: str, token: str, told: Json, *, seconds: float) -> None:
    """Post what came of an order to its callback URL, so many seconds from now, a few times if need be."""
    threading.Thread(target=_tell, args=(url, token, told, seconds), daemon=True).start()


def _tell(url: str, token: str, told: Json, seconds: float) -> None:
    for _ in range(_TRIES):
        time.sleep(seconds)
        headers = {"Content-Type": "application/json", "X-Callback-Token": token}
        order = urllib.request.Request(url, json.dumps(told).encode(), headers)  # noqa: S310 - as our caller says
        try:
            _DIRECTLY.open(order, timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500:  # it does not want to know
                return
        except OSError:
            continue
        else:
            return
