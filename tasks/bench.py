"""What one worker process holds: its name, the ledger, the HTTP session, the reconciler's thread, those beside it."""

import atexit
import os
import secrets
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from celery.concurrency.thread import TaskPool
from celery.signals import worker_ready
from celery.worker.consumer import Consumer

from orchestrator import traces
from orchestrator.attempt import Bench
from orchestrator.call import Caller
from orchestrator.children import Children
from orchestrator.ledger import Ledger
from orchestrator.ledger.clerk import Clerk
from orchestrator.ledger.crowding import Crowding, Hosts
from orchestrator.ledger.engine import Database
from orchestrator.ledger.limiting import Limiter
from orchestrator.ledger.presence import SILENCE, STEADY
from orchestrator.request import surroundings
from orchestrator.settings import Settings
from orchestrator.shares import Shares, threads_for
from orchestrator.standing import Standing
from tasks.app import app
from tasks.beside import Beside
from tasks.dispatch import Dispatch
from tasks.folder import Folder
from tasks.foreign import Foreign
from tasks.heart import Heart
from tasks.metering import count, serve
from tasks.queue import RedisQueue
from tasks.reconciler import Reconciler
from tasks.tending import Tending, tended


@dataclass(frozen=True, slots=True)
class Held:
    """All of it."""

    bench: Bench
    shares: Shares
    ledger: Ledger
    heart: Heart
    reconciler: Reconciler
    tending: Sequence[Tending]


_opening = threading.Lock()
_open: dict[int, Held] = {}


def held() -> Held:
    """What this process holds, opened at its first use: once for all threads, anew in each child of a prefork pool."""
    pid = os.getpid()
    found = _open.get(pid)
    if found is None:
        with _opening:
            found = _open.get(pid)
            if found is None:
                found = _open[pid] = _set_up()
    return found


def _set_up() -> Held:
    settings = Settings.from_environment()
    name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
    ledger = Ledger(Database(settings.database_url), settings.vars, destinations=len(settings.notify))
    publish = Dispatch(app.tasks["orchestrator.step"])
    standing = Standing(SILENCE, STEADY)
    reconciler = Reconciler(ledger, RedisQueue(app), publish, standing)
    threads = threads_for(settings.concurrency)
    shares = Shares(threads, Hosts(settings.vars))
    ledger.aside = shares.aside
    caller = Caller(pool_size=threads, max_answer_bytes=settings.max_answer_bytes, allow_hosts=settings.allow_hosts)
    around = surroundings(settings)
    limiter = Limiter(ledger, name, reconciler.hurry, shares)
    clerk = Clerk(ledger.on(Database(settings.database_url, pool_size=1, by_index=True)), shares)
    delegates = (Children(ledger, Folder(settings.definitions), publish), Foreign(app))
    beside = Beside(settings.concurrency)
    bench = Bench(name, clerk, caller, around, publish, reconciler.hurry, beside, standing, limiter, delegates)
    count(settings, ledger.database)
    traces.begin(settings)
    crowding = Crowding(ledger, shares, reconciler.hurry)
    tending = [*tended(settings, ledger, limiter, publish), Tending("shares", crowding.round)]
    made = Held(bench, shares, ledger, Heart(ledger, name, standing), reconciler, tending)
    for thread in (made.heart, reconciler, *made.tending):
        thread.start()
    return made


@worker_ready.connect
def _begin(sender: Consumer, **_: object) -> None:
    if isinstance(sender.pool, TaskPool):
        # As many as `-c` has asked for, or the setting.
        held().shares.fit(sender.pool.limit)
    held()
    serve(Settings.from_environment())


# Celery's own signals of a shutdown come before the running calls have ended: until then this worker must show that it
# lives, or the others take its steps over.
@atexit.register
def _end() -> None:
    found = _open.pop(os.getpid(), None)
    if found is None:
        return
    for thread in found.tending:
        thread.stop()
    found.reconciler.stop()
    found.heart.stop()
    found.bench.caller.close()
    found.ledger.database.close()
    found.bench.clerk.close()
