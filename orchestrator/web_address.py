"""An address that a client gives us to call: whether it can be one. Whether it may be is asked when it is called."""

from urllib.parse import urlsplit

from orchestrator.errors import Fault
from orchestrator.jsontype import Json

LONGEST = 2_000


def fault_of_address(name: str, value: Json) -> Fault | None:
    """What is wrong with the address in the field of that name, None where nothing is."""
    if isinstance(value, str) and len(value) <= LONGEST and value.isprintable() and " " not in value:
        try:
            parts = urlsplit(value)
            if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc:
                return None
        except ValueError:  # a port that is no number, a bracket that is not closed
            pass
    return Fault(name, "must be an absolute URL such as https://example.com/hook, without a user name")
