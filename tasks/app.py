"""The Celery application. Its settings are in `celeryconfig.py`."""

from celery import Celery

from tasks.kombu_clients import keep_clients
from tasks.kombu_fix import survive_redis_restarts

survive_redis_restarts()
keep_clients()

app = Celery("orchestrator")
app.config_from_object("celeryconfig")
