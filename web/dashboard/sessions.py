"""Who is looking: a login with an API key, kept in a signed cookie, or the word of a proxy that is believed.

And a token that each form must bring back, whoever it is.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Request, Response, g, jsonify, redirect, request, session, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as AnyResponse

from orchestrator.api_keys import ApiKey, Scope, found
from orchestrator.settings import Settings
from web.dashboard.pages import page
from web.dashboard.proxied import told_by_proxy
from web.guarding import Caller, holder_of, let_in, may, require
from web.parts import parts

bp = Blueprint("sessions", __name__)

LIFETIME = timedelta(hours=12)
"""After so long the key is asked for again."""

_OPEN = frozenset(
    {"dashboard.static", "dashboard.sessions.login", "dashboard.sessions.enter", "dashboard.sessions.state"}
)
_KEY, _TOKEN = "key", "token"


def guard(app: Flask, dashboard: Blueprint, settings: Settings) -> None:
    """Ask for a login where there are API keys, and for the form's token wherever something is changed."""
    first, *older = [_secret(key) for key in settings.key().split(",")]
    app.config.update(
        SECRET_KEY=first,
        SECRET_KEY_FALLBACKS=older,
        SESSION_COOKIE_NAME="orchestrator",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=(settings.public_url or "").startswith("https:"),
        PERMANENT_SESSION_LIFETIME=LIFETIME,
    )
    app.session_interface = _WhereSent()
    dashboard.before_request(_check)
    dashboard.app_context_processor(
        lambda: {"token": _token, "logged_in": lambda: _KEY in session, "named": _named, "may": may}
    )


class _WhereSent(SecureCookieSessionInterface):
    """A request that brings no cookie has an empty session: programs never bring one, and making keys has its cost."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of who asks."""
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)


def _check() -> AnyResponse | None:
    keys = parts().settings.api_keys
    if request.method not in ("GET", "HEAD"):
        _check_origin()
    if keys and request.endpoint not in _OPEN:
        caller = _caller()
        if caller is None:
            return redirect(url_for("dashboard.sessions.login", next=request.full_path.rstrip("?")))
        let_in(caller)
        looks = request.method in ("GET", "HEAD") or request.endpoint == "dashboard.sessions.leave"
        require(Scope.READ if looks else Scope.OPERATE)
    if request.method not in ("GET", "HEAD") and request.endpoint != "dashboard.sessions.enter":
        _check_token()
    return None


@bp.get("/login")
def login() -> Response:
    """Where the key is asked for. No cookie is set here: one that came with a link from elsewhere is only held back."""
    return page("login.html", wanted=_wanted(request.args.get("next", "")))


@bp.post("/login")
def enter() -> AnyResponse:
    """A right key opens a session."""
    wanted = _wanted(request.form.get("next", ""))
    key = found(parts().settings.api_keys, request.form.get("key", "").strip().encode(errors="surrogateescape"))
    if key is None:
        return page("login.html", 403, wanted=wanted, wrong="That is none of the keys.")
    if Scope.READ not in key.scopes:
        return page("login.html", 403, wanted=wanted, wrong="That key may not read, so there is nothing to show it.")
    session.clear()
    session.permanent = True
    session[_KEY] = _fingerprint(key)
    return redirect(wanted)


@bp.post("/logout")
def leave() -> AnyResponse:
    """Forget the key in this browser."""
    session.clear()
    return redirect(url_for("dashboard.sessions.login"))


@bp.get("/login/state")
def state() -> Response:
    """Whether this browser is logged in: asked by the login page, which a link from elsewhere may have opened."""
    return jsonify(loggedIn=_caller() is not None)


def _named() -> str | None:
    """Whom the proxy names, where nobody logged in here."""
    return None if g.get("caller") is None or _KEY in session else str(g.caller.name)


def _check_origin() -> None:
    """Browsers say where a form was sent from; nobody else's page sends ours."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("this came from a page of another site")


def _check_token() -> None:
    if not hmac.compare_digest(session.get(_TOKEN, "").encode(), request.form.get(_TOKEN, "").encode()):
        raise Forbidden("this form is too old to be trusted; go back, reload the page and send it again")


def _token() -> str:
    if _TOKEN not in session:
        session[_TOKEN] = secrets.token_urlsafe(24)
    return str(session[_TOKEN])


def _caller() -> Caller | None:
    """Who logged in with a key here, or else whom the proxy names."""
    known = _known()
    return told_by_proxy(parts().settings) if known is None else holder_of(known)


def _known() -> ApiKey | None:
    """The API key that this session was opened with, if it is still one."""
    opened_with = str(session.get(_KEY, ""))
    keys = parts().settings.api_keys
    return next((key for key in keys if hmac.compare_digest(_fingerprint(key), opened_with)), None)


def _fingerprint(key: ApiKey) -> str:
    secret = _secret(parts().settings.key().split(",")[0])
    return hmac.new(secret, b"key:" + key.secret.encode(), hashlib.sha256).hexdigest()[:32]


def _secret(encryption_key: str) -> bytes:
    """What signs the cookies: derived, so that it opens nothing in the ledger."""
    return hmac.new(encryption_key.encode(), b"orchestrator dashboard sessions", hashlib.sha256).digest()


def _wanted(path: str) -> str:
    """Where to go after the login: on this site only."""
    parsed = urlsplit(path)
    here = path.startswith("/") and not path.startswith(("//", "/\\")) and not parsed.netloc
    return path if here and path.isprintable() else url_for("dashboard.board.shown")
