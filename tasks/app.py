"""The Celery application. Its settings are in `celeryconfig.py`."""

from celery import Celery
from celery.signals import setup_logging

from orchestrator.logs import set_up
from orchestrator.settings import Settings
from tasks.kombu_clients import keep_clients
from tasks.kombu_fix import survive_redis_restarts

survive_redis_restarts()
keep_clients()

app = Celery("orchestrator")
app.config_from_object("celeryconfig")


@setup_logging.connect
def _write_as_all_others_do(loglevel: int, logfile: str | None, **_: object) -> None:
    """Celery leaves logging to us; its options `--loglevel` and `--logfile` mean what they always mean."""
    set_up(loglevel, Settings.from_environment().log_format, file=logfile)
