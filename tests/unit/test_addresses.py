"""Which addresses may be called."""

import pytest

from orchestrator.call.addresses import AllowedHosts
from orchestrator.errors import SettingsError

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "192.0.2.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "::7f00:1", "2002:7f00:1::",
    "2002:a9fe:a9fe::", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    """However an address of our own, of the cloud's or of nobody's is written."""
    assert not AllowedHosts().permits("example.com", address)
    assert not AllowedHosts(["payments.internal", "203.0.113.7"]).permits(address, address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]
)
def test_what_is_public_may_be_called(address: str) -> None:
    """Nothing needs to be listed for the internet."""
    assert AllowedHosts().permits("example.com", address)


@pytest.mark.parametrize(
    ("entry", "host", "address", "permitted"),
    [
        ("*", "anything", "169.254.169.254", True),
        ("10.0.0.7", "10.0.0.7", "10.0.0.7", True),
        ("10.0.0.7", "payments.internal", "10.0.0.7", True),
        ("10.0.0.7", "payments.internal", "10.0.0.8", False),
        ("10.0.0.7", "10.0.0.7", "::ffff:10.0.0.7", True),
        ("10.0.0.0/8", "payments.internal", "10.200.0.1", True),
        ("10.0.0.5/8", "payments.internal", "10.200.0.1", True),
        ("fd00::/8", "payments.internal", "fd12::1", True),
        ("fd00::/8", "payments.internal", "10.0.0.1", False),
        ("[::1]", "::1", "::1", True),
        ("payments.internal", "payments.internal", "10.0.0.1", True),
        ("Payments.Internal.", "payments.internal", "10.0.0.1", True),
        ("payments.internal", "payments.internal.", "10.0.0.1", True),
        ("payments.internal", "evil.payments.internal", "10.0.0.1", False),
        ("*.internal", "payments.internal", "10.0.0.1", True),
        ("*.internal", "internal", "10.0.0.1", False),
        ("*.internal", "notinternal", "10.0.0.1", False),
        ("localhost", "localhost", "127.0.0.1", True),
        ("localhost", "127.0.0.1", "127.0.0.1", True),
        ("localhost", "::1", "::1", True),
        ("localhost", "10.0.0.1", "10.0.0.1", False),
        ("bücher.internal", "xn--bcher-kva.internal", "10.0.0.1", True),
    ],
)
def test_the_operators_list_opens_what_it_names(entry: str, host: str, address: str, permitted: bool) -> None:
    """Names, suffixes, addresses, networks, everything."""
    assert AllowedHosts([entry]).permits(host, address) is permitted


@pytest.mark.parametrize(
    "entry", ["", "10.0.0.0/33", "10.0.0", "300.1.1.1", "http://localhost", "localhost:8000", "a..b"]
)
def test_an_entry_that_means_nothing_is_refused(entry: str) -> None:
    """With what would be right."""
    with pytest.raises(SettingsError, match=r"such as localhost, 10\.0\.0\.7"):
        AllowedHosts([entry])
