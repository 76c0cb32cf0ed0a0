"""Sensitive fields: encrypted at rest, masked wherever they are shown, given only to steps that name them."""

import copy
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from orchestrator.errors import SettingsError
from orchestrator.jsontype import Json

MASK = "•••"


class Sealer:
    """Encrypts with the first of `keys` (Fernet, url-safe base64 of 32 bytes) and decrypts with any of them."""

    def __init__(self, keys: Iterable[str]) -> None:
        secrets = [key.encode() for key in keys]
        self._fernet = MultiFernet([Fernet(secret) for secret in secrets])
        self._secrets = secrets

    def seal(self, fields: Mapping[str, Json]) -> str | None:
        """Sensitive fields by their path, encrypted; None where there are none."""
        return self._fernet.encrypt(json.dumps(fields).encode()).decode() if fields else None

    def open(self, sealed: str | None) -> dict[str, Json]:
        """The fields again. Raises SettingsError where the key is another one."""
        if sealed is None:
            return {}
        try:
            opened: dict[str, Json] = json.loads(self._fernet.decrypt(sealed.encode()))
        except InvalidToken:
            raise SettingsError(
                "ORCHESTRATOR_ENCRYPTION_KEY is not the key that this workflow's sensitive fields were encrypted with; "
                "give web and workers the same key, old keys after it, separated by commas"
            ) from None
        return opened

    def fingerprints(self, body: Json) -> tuple[str, ...]:
        """Tell equal bodies from others without keeping anything of them: one a key, the one to be kept first."""
        text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        return tuple(hmac.new(secret, text, hashlib.sha256).hexdigest() for secret in self._secrets)


def split(context: Json, paths: Iterable[str]) -> tuple[Json, dict[str, Json]]:
    """The context with its sensitive fields masked, and those fields by path (such as `context.card`).

    What stands in the way of a path and is no object (a list of cards where one card was meant) is masked itself:
    nobody knows what it holds.
    """
    masked, taken = copy.deepcopy(context), {}
    # The shorter path first: what it takes holds the longer one, which then finds the mask.
    for path in sorted(paths, key=len):
        root, *keys = path.split(".")
        place, held = masked, root
        for key in keys:
            held = f"{held}.{key}"
            if held in taken or key not in place or place[key] is None:
                break
            if held == path or not isinstance(place[key], dict):
                taken[held] = place[key]
                place[key] = MASK
                break
            place = place[key]
    return masked, taken


def merged(context: Json, fields: Mapping[str, Json]) -> Json:
    """The context with its sensitive fields back in place."""
    if not fields:
        return context
    whole = copy.deepcopy(context)
    for path, value in fields.items():
        *parents, last = _keys(path)
        place = _descend(whole, parents)
        if isinstance(place, dict):
            place[last] = value
    return whole


def without(context: Json, paths: Iterable[str]) -> Json:
    """The context with its sensitive fields left out."""
    rest = copy.deepcopy(context)
    for path in paths:
        *parents, last = _keys(path)
        place = _descend(rest, parents)
        if isinstance(place, dict):
            place.pop(last, None)
    return rest


def _keys(path: str) -> list[str]:
    return path.split(".")[1:]


def _descend(place: Json, keys: Iterable[str]) -> Json:
    for key in keys:
        place = place.get(key) if isinstance(place, dict) else None
    return place
