"""The command `orchestrator`: the top of everything. It imports all, and nothing imports it.

In reading order:

- `group`, `exits`: the frame, and what its exit statuses mean;
- `opening`: what a command holds while it works;
- `programs`, `running`: the processes of an installation; `worker`, `web`, `up`, `demo` run them;
- `celery_worker`: one worker process.

Commands import what they need when they are called, so that `orchestrator --help` answers at once.
"""

import click

from orchestrator.cli.group import Sections
from orchestrator.cli.web import web
from orchestrator.cli.worker import worker


@click.group(cls=Sections, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="celery-orchestrator", prog_name="orchestrator")
def orchestrator() -> None:
    """Workflows of HTTP calls on Celery, Redis and SQL: run to the end whatever crashes, undone where they fail."""


assert isinstance(orchestrator, Sections)
orchestrator.add("Run", web, worker)


def main() -> None:
    """The entry point: never returns."""
    orchestrator()
