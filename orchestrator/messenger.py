"""The only Apprise: one message to one place, within a bounded time.

A place is an Apprise URL (`slack://…`, `mailto://…`, `pagerduty://…`), or the https:// address of a webhook, which is
sent JSON: `{"title", "message", "type"}`.
"""

import logging
import re
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestrator.urls import HIDDEN

if TYPE_CHECKING:
    import apprise

SECONDS = 20.0
"""For sending one message, however slowly the other side answers."""

_LONGEST_REASON = 300
_SHORTEST_SECRET = 6
_loading = threading.Lock()


class Messenger:
    """Sends to one place; to be used by one thread."""

    def __init__(self, url: str, *, seconds: float = SECONDS) -> None:
        self._url = url
        self._seconds = seconds
        self._hung: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The place without its tokens, which may be anywhere in the URL."""
        return f"{self._url.partition('://')[0]}://{HIDDEN}"

    def send(self, title: str, text: str) -> str | None:
        """Send it; None where that worked, else the reason why it did not."""
        if self._hung is not None and self._hung.is_alive():
            return "an earlier message is still being sent"
        said: list[str | None] = []
        thread = threading.Thread(
            target=lambda: said.append(_send(self._url, title, text)), name=f"message to {self.name}", daemon=True
        )
        thread.start()
        # Time-outs of the libraries below are for single reads: a side that trickles would never end.
        thread.join(self._seconds)
        if thread.is_alive():
            self._hung = thread
            return f"no answer within {self._seconds:g} s"
        if not said:
            return "the attempt broke off: see the worker's log"
        return None if said[0] is None else _without_secrets(said[0], self._url)


def _send(url: str, title: str, text: str) -> str | None:
    with _Complaints() as complaints:
        place = _place(url)
        if place is None:
            return "Apprise does not know such a URL; see https://github.com/caronc/apprise/wiki"
        complaints.heard.clear()
        # Not `Apprise.notify`: its pool's threads would keep a process from ending for as long as a message hangs.
        sent = place.notify(body=text, title=title, notify_type="failure", body_format="text")
    return None if sent else "; ".join(complaints.heard) or "it was not taken"


def _place(url: str) -> "apprise.NotifyBase | None":
    """What Apprise makes of the URL, shown under our name and without its logo."""
    # It loads its plugins at the first use; another thread would find only those that are there by then.
    with _loading:
        import apprise  # takes seconds: only where there is something to tell

        asset = apprise.AppriseAsset(
            app_id="orchestrator", app_desc="celery-orchestrator", app_url="", image_url_mask="", image_url_logo=""
        )
        known = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if known is None and url.lower().startswith(("http://", "https://")):
            known = apprise.Apprise.instantiate(_as_json_webhook(url), asset=asset, suppress_exceptions=True)
        return known if isinstance(known, apprise.NotifyBase) else None


def _as_json_webhook(url: str) -> str:
    """Apprise's spelling of a webhook: in it, a bare query parameter would be an option of Apprise's own."""
    address, question, query = url.partition("?")
    scheme, rest = address.split("://", 1)
    own = "&".join(f"-{part}" for part in query.split("&") if part)
    return f"{'jsons' if scheme.lower() == 'https' else 'json'}://{rest}{question}{own}"


def _without_secrets(reason: str, url: str) -> str:
    """The reason without any piece of the URL but its host: what of it is a token, only the service knows."""
    parts = urlsplit(url)
    for piece in sorted(set(re.split(r"[/:@?&=,]", url)), key=len, reverse=True):
        if len(piece) >= _SHORTEST_SECRET and piece.lower() not in (parts.scheme, parts.hostname):
            reason = reason.replace(piece, HIDDEN)
    return reason[:_LONGEST_REASON]


class _Complaints(logging.Handler):
    """What Apprise logs while this thread sends: the only place where it says why it failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []
        self._thread = threading.get_ident()

    def __enter__(self) -> "_Complaints":
        logger = logging.getLogger("apprise")
        # It names URLs, and with DEBUG whole messages; what matters of it goes into our own line.
        logger.propagate = False
        logger.setLevel(logging.WARNING)
        logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, if it is ours."""
        if record.thread == self._thread:
            self.heard.append(record.getMessage())
