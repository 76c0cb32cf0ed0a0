"""The one name for decoded JSON: whatever a client, a definition or a service may send."""

from typing import Any

# Any on purpose: a recursive type would have to be narrowed at every use and would prove nothing.
Json = Any
