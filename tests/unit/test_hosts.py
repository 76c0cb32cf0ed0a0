"""Whether a Host header names this installation."""

import pytest

from web.hosts import is_own, own_hosts

OWN = own_hosts("https://Orders.Example.com/base")


@pytest.mark.parametrize(
    "header",
    [
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "api.localhost:1",
        "127.0.0.1:8000",
        "[::1]:8000",
        "10.1.2.3",
        "orders.example.com",
        "ORDERS.example.com:443",
    ],
)
def test_names_of_loopback_addresses_and_the_public_url_are_ours(header: str) -> None:
    """With and without a port, in any case."""
    assert is_own(header, OWN)


@pytest.mark.parametrize(
    "header",
    [
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "notlocalhost",
        "localhost@evil.example",
        "orders.example.com.evil.example",
        "[::1",
        "",
        "x\x00",
    ],
)
def test_whatever_else_is_not(header: str) -> None:
    """Above all a name that somebody else may lead here."""
    assert not is_own(header, OWN)
