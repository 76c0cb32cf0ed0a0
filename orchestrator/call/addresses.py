"""Which addresses may be called: public ones, and what the operator listed. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from orchestrator.errors import SettingsError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LOOPBACK = ("127.0.0.0/8", "::1/128")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_TRANSLATED = IPv6Network("64:ff9b::/96")
# IANA's special-purpose registries, in our own words because `ipaddress.is_global` differs between patch releases.
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' NAT; Alibaba's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # looks public and is not: Azure's hosts serve their guests here
        "169.254.0.0/16",  # link-local; the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocols; Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "2001::/23",  # protocols, Teredo
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)


class AllowedHosts:
    """The operator's list: host names, `*.` suffixes, addresses, networks, or `*` for everything.

    A listed name may resolve to any address; `localhost` means the loopback addresses as well as the name. Raises
    SettingsError where an entry is none of these.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._everything = False
        self._names: set[str] = set()
        self._suffixes: list[str] = []
        self._networks: list[Network] = []
        for entry in (entry.strip().lower() for entry in entries):
            if entry == "*":
                self._everything = True
            elif entry.startswith("*."):
                self._suffixes.append(entry[1:].rstrip("."))
            elif _is_name(entry):
                self._names.add(_ascii(entry))
                if entry == "localhost":
                    self._networks.extend(map(ip_network, _LOOPBACK))
            else:
                self._networks.append(_network(entry))

    def permits(self, host: str, address: str) -> bool:
        """Whether `address`, to which `host` resolved (or which it is), may be connected to."""
        reached = real_address(address)
        if self._everything or is_public(reached):
            return True
        name = host.lower().rstrip(".")
        if name in self._names or any(name.endswith(suffix) for suffix in self._suffixes):
            return True
        return _within(reached, self._networks)


def is_public(address: Address) -> bool:
    """Whether the whole internet knows this address as one machine's.

    Not loopback, private, link-local (with every cloud's metadata service), shared (carrier NAT), multicast,
    unspecified, reserved or for documentation.
    """
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not _within(address, _NOT_PUBLIC)


def real_address(text: str) -> Address:
    """The address that packets end at: IPv4 is unwrapped from the forms in which IPv6 carries it.

    Those are `::ffff:a.b.c.d` (mapped), `::a.b.c.d` (compatible), 6to4 and NAT64's well-known prefix.
    """
    address = ip_address(text)
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _TRANSLATED or 1 < int(address) < 2**32:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _is_name(entry: str) -> bool:
    return any(letter.isalpha() for letter in entry) and ":" not in entry and "/" not in entry


def _ascii(name: str) -> str:
    try:
        return name.rstrip(".").encode("idna").decode()
    except UnicodeError:
        raise _no_entry(name) from None


def _network(entry: str) -> Network:
    try:
        return ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        raise _no_entry(entry) from None


def _no_entry(entry: str) -> SettingsError:
    return SettingsError(
        f"allowed hosts: {entry!r} is neither a host name, an address, a network nor *; "
        "such as localhost, 10.0.0.7, 10.0.0.0/8 or *.internal"
    )
