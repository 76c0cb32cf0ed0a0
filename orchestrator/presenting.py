"""A definition's `auth` → the credentials of one request: expressions filled in, secrets read in this moment only."""

import base64
from collections.abc import Mapping

from orchestrator.call import CertificateFiles, Credentials, Grant, Signing
from orchestrator.credentials import ApiKey, Auth, Basic, Bearer, Certificate, ClientCredentials, Signature
from orchestrator.errors import ExpressionError
from orchestrator.expressions import Template
from orchestrator.jsontype import Json
from orchestrator.rendering import text_of

Scope = Mapping[str, Json]


def credentials_of(auth: Auth | None, scope: Scope) -> Credentials | None:
    """The credentials. Raises ExpressionError where they cannot be filled in, without a value in its text."""
    if auth is None:
        return None
    certificate = None if auth.certificate is None else _certificate(auth.certificate, scope)
    match auth.scheme:
        case None:
            return Credentials(certificate=certificate)
        case Bearer(token):
            headers = {"Authorization": f"Bearer {_text(token, scope, 'bearer')}"}
            return Credentials(headers, certificate=certificate)
        case Basic():
            return Credentials({"Authorization": _basic(auth.scheme, scope)}, certificate=certificate)
        case ApiKey(place, name, value):
            key = {name: _text(value, scope, "apiKey.value")}
            in_header = place == "header"
            return Credentials(key if in_header else {}, {} if in_header else key, certificate=certificate)
        case ClientCredentials():
            return Credentials(grant=_grant(auth.scheme, scope), certificate=certificate)
        case Signature(secret, key_id):
            signing = Signing(_key_id(_text(key_id, scope, "hmac.keyId")), _text(secret, scope, "hmac.secret"))
            return Credentials(signing=signing, certificate=certificate)


def _basic(scheme: Basic, scope: Scope) -> str:
    username = _text(scheme.username, scope, "basic.username")
    if ":" in username:
        raise ExpressionError("auth.basic.username holds a colon, which would end it (RFC 7617)")
    pair = f"{username}:{_text(scheme.password, scope, 'basic.password')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _grant(scheme: ClientCredentials, scope: Scope) -> Grant:
    return Grant(
        token_url=_text(scheme.token_url, scope, "oauth2.tokenUrl"),
        client_id=_text(scheme.client_id, scope, "oauth2.clientId"),
        client_secret=_text(scheme.client_secret, scope, "oauth2.clientSecret"),
        scope=None if scheme.scope is None else _text(scheme.scope, scope, "oauth2.scope"),
        audience=None if scheme.audience is None else _text(scheme.audience, scope, "oauth2.audience"),
        sent_in=scheme.sent_in,
    )


def _certificate(certificate: Certificate, scope: Scope) -> CertificateFiles:
    password = certificate.password
    return CertificateFiles(
        _text(certificate.certificate, scope, "mtls.certificate"),
        _text(certificate.key, scope, "mtls.key"),
        None if password is None else _text(password, scope, "mtls.password"),
    )


def _key_id(text: str) -> str:
    """A string of RFC 8941."""
    if not text.isascii() or not text.isprintable():
        raise ExpressionError("auth.hmac.keyId must be of visible ASCII characters")
    return text


def _text(template: Template, scope: Scope, place: str) -> str:
    unset = sorted(template.references.secrets.difference(scope["secret"]))
    if unset:
        raise ExpressionError(f"auth.{place} reads ORCHESTRATOR_SECRET_{unset[0]}, which this worker does not have")
    return text_of(template.render(scope), f"auth.{place}")
