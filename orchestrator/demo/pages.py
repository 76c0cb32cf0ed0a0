"""What the demo tells its reader around the timelines: the calls, and what the services' books say. Pure."""

import json
import shlex
from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from orchestrator.jsontype import Json

_SIGNS = {"booked": ("done", "green"), "replayed": ("knew the key: not done again", "cyan")}


def curl(url: str, context: Json) -> str:
    """The call as one would type it; with None for the context it has no body."""
    if context is None:
        return f"curl -X POST {url}"
    body = shlex.quote(json.dumps(context, ensure_ascii=False))
    return f"curl {url} -H 'Content-Type: application/json' -d {body}"


def books_table(books: Mapping[str, Sequence[Json]], numbers: Mapping[str, int]) -> Table:
    """Every line of the services' books in the order of time; `numbers` says which run a workflow was."""
    lines = sorted((entry for entries in books.values() for entry in entries), key=lambda entry: str(entry["time"]))
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("RUN", "SERVICE", "ASKED TO", "AND THEN", "NOTED"):
        table.add_column(heading, overflow="fold")
    for entry in lines:
        said, style = _SIGNS.get(entry["kind"], (f"answered {entry.get('status', '?')}", "red"))
        run = str(numbers.get(str(entry["workflowId"]), "?"))
        table.add_row(run, entry["service"], entry["step"].replace("-", " "), Text(said, style), _noted(entry))
    return table


def balance(books: Mapping[str, Sequence[Json]]) -> str:
    """What the payment service holds at the end, from its charges and refunds."""
    amounts = [entry["amount"] for entry in books["payment"] if entry["kind"] == "booked"]
    charges = [amount for amount in amounts if amount > 0]
    refunds = [amount for amount in amounts if amount < 0]
    return (
        f"{len(charges)} charges of {sum(charges):.2f}, {len(refunds)} refund{'s'[len(refunds) == 1 :]} of "
        f"{-sum(refunds):.2f}: "
        f"the till holds {sum(amounts):.2f}"
    )


def _noted(entry: Json) -> str:
    wanted = ("amount", "transactionId", "trackingId", "accountId", "userId", "to", "reason")
    found = [(name, entry[name]) for name in wanted if entry.get(name) is not None]
    return "  ".join(f"{value:+.2f}" if name == "amount" else str(value) for name, value in found[:2])
