"""Our Celery settings and no others.

Celery also takes settings from the environment (`CELERY_BROKER_URL` goes before any of ours, `APP` names another
application) and from a `celeryconfig.py` in the folder from which it was started. In the folder of somebody's own
Celery project all of these are there, and meant for that project. `celery -A tasks worker` still heeds them.
"""

import importlib
import os

_FOREIGN = ("APP", "BROKER_URL", "RESULT_BACKEND", "LOADER", "CONFIG_MODULE", "DJANGO_SETTINGS_MODULE")


def only_our_celery() -> None:
    """To be called before the application is used in this process."""
    for name in list(os.environ):
        if name in _FOREIGN or name.startswith("CELERY_"):
            del os.environ[name]
    importlib.import_module("celeryconfig")  # Celery finds it imported, and looks nowhere else
