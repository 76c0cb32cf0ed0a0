"""The Celery application. Its settings are in `celeryconfig.py`."""

from celery import Celery

app = Celery("orchestrator")
app.config_from_object("celeryconfig")
