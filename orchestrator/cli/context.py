"""A context on the command line: a JSON object in the argument itself, in a file, or on standard input."""

import sys
from pathlib import Path

import click

from orchestrator.jsontype import Json
from orchestrator.storable import NotStorable, parse_json


class Context(click.ParamType[Json]):
    """A JSON object: in the argument itself, in a file, or on standard input."""

    name = "FILE|JSON|-"

    def convert(self, value: Json, param: click.Parameter | None, ctx: click.Context | None) -> Json:
        """The object; anything else is a usage error that says where it stands."""
        if not isinstance(value, str):
            return value
        where, text = self._read(value, param, ctx)
        try:
            read = parse_json(text, doubles=False)
        except NotStorable as error:
            self.fail(f"{where} cannot be taken: {error}", param, ctx)
        if not isinstance(read, dict):
            self.fail(f'{where} must be a JSON object, such as {{"amount": 42.5}}', param, ctx)
        return read

    def _read(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if value.lstrip()[:1] in ("{", "[", '"'):
            return "the context", value
        try:
            if value == "-":
                return "standard input", sys.stdin.read()
            return value, Path(value).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            self.fail(f"{value} is not UTF-8", param, ctx)
        except OSError as error:
            self.fail(f"{value} cannot be read: {error.strerror}", param, ctx)
