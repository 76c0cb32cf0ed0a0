"""A login by a proxy: it says in a header who looks, and is believed where the connection comes from its address.

Whoever else sends the header says nothing by it. The proxy has to replace what a client sent under that name: where it
adds to it the header comes twice, and nobody is let in.
"""

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

from flask import request
from werkzeug.exceptions import Forbidden

from orchestrator.setting_texts import Network
from orchestrator.settings import Settings
from web.guarding import Caller

LONGEST = 200


def told_by_proxy(settings: Settings) -> Caller | None:
    """Whom the header names; None where there is none, or none that is believed. Raises Forbidden for an odd one."""
    wanted = settings.login_header
    if wanted is None or not is_among(request.remote_addr or "", settings.login_proxies):
        return None
    given = request.headers.get(wanted.name, "").strip()
    return Caller(_name(given, wanted.name), wanted.scopes) if given else None


def is_among(address: str, networks: Iterable[Network]) -> bool:
    """Whether the address is in one of the networks; IPv4 written as IPv6 counts as IPv4."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def _name(given: str, header: str) -> str:
    """As people write it: WSGI hands headers over as Latin-1, whatever they are."""
    try:
        name = given.encode("latin-1").decode()
    except UnicodeError:
        name = given
    if len(name) > LONGEST or not name.isprintable() or "," in name:
        raise Forbidden(f"the proxy's {header} is no name of one person; it has to replace what clients send")
    return name
