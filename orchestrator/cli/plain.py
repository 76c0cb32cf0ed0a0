"""Texts of services and clients as a terminal may be given them: none of them steers it.

What is taken out: control characters (ECMA-48) but for tabs and line ends, and marks that turn the direction of text
(Unicode TR 36).
"""

import re

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(value: object) -> str:
    """The value as a text, with a sign of its own in the place of each character that would steer."""
    return _STEERING.sub("�", str(value))
