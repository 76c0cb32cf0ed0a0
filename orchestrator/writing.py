"""JSON values → YAML for people, which `orchestrator.reading.text` reads as the same values again."""

import re

import yaml

from orchestrator.jsontype import Json

_PLAIN = re.compile(r"[A-Za-z_/$][^\n]*")


class _Dumper(yaml.SafeDumper):
    """Quotes every text that some reader could take for a number, a date or a word of YAML."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = None if _PLAIN.fullmatch(value) else "|" if "\n" in value and value == value.strip(" ") else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(value: Json) -> str:
    """The value as YAML, fields in their order."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110))
