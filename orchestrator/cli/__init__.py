"""The command `orchestrator`: the top of everything. It imports all, and nothing imports it.

In reading order:

- `group`, `exits`: the frame, and what its exit statuses mean;
- `opening`: what a command holds while it works on the ledger;
- `start`, `workflows`, `orders`: workflows begun, read, and steered;
- `rendering`, `filling`, `following`, `printing`, `plain`: what people see of them;
- `schedules`: what starts them by the clock; `webhooks`: what was told of their ends;
- `worker`, `web`, `up`: the processes of an installation, which are `programs` kept `running`;
- `celery_worker`, `only_ours`: one worker process; `attendance`, `asking`: whether it and the web process are there;
- `demo`, `demo_runs`: all of it for a newcomer;
- `definitions`, `known`: definitions; `trying`: their test cases;
- `importing`: those of others;
- `migrate`;
- `limits`; `doctor`, which makes the `checks`.

Commands import what they need when they are called, so that `orchestrator --help` answers at once.
"""

import io
import sys

import click

from orchestrator.cli.deciding import approve, reject
from orchestrator.cli.definitions import plan, schema, validate
from orchestrator.cli.demo import demo
from orchestrator.cli.doctor import doctor
from orchestrator.cli.group import Sections
from orchestrator.cli.importing import import_
from orchestrator.cli.limits import limits
from orchestrator.cli.migrate import migrate
from orchestrator.cli.orders import cancel, pause, rerun, resume, retry
from orchestrator.cli.schedules import schedules
from orchestrator.cli.start import start
from orchestrator.cli.trying import record, test
from orchestrator.cli.up import up
from orchestrator.cli.web import web
from orchestrator.cli.webhooks import webhooks
from orchestrator.cli.worker import worker
from orchestrator.cli.workflows import events, list_, show, why


@click.group(cls=Sections, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="celery-orchestrator", prog_name="orchestrator")
def orchestrator() -> None:
    """Workflows of HTTP calls on Celery, Redis and SQL: run to the end whatever crashes, undone where they fail."""


assert isinstance(orchestrator, Sections)
orchestrator.add("Run", demo, up, web, worker)
orchestrator.add(
    "Workflows",
    start,
    list_,
    show,
    events,
    why,
    cancel,
    pause,
    resume,
    retry,
    rerun,
    approve,
    reject,
    record,
    schedules,
    webhooks,
)
orchestrator.add("Definitions", validate, plan, test, import_, schema)
orchestrator.add("Installation", limits, migrate, doctor)


def main() -> None:
    """The entry point: never returns."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no ✓ gets a ? instead of a traceback
    orchestrator()
