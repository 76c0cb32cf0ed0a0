"""The Celery side: `celery -A tasks worker`.

app          the Celery application
step         the task: an attempt of a step
send         the other: a wide workflow's first messages
canvas       fragments of the plan → chains, groups and chords
dispatch     sending them, which may fail without harm
patterns     messages as Celery makes them, without making each
pushing      many of them with one command
posting      the web's thread that sends after the answer
bench        what a worker process holds: ledger, HTTP session, its name
going_on     whether a worker may take a workflow's next step at once
folder       the definitions that children are started from
foreign      Celery tasks of other people's workers as steps
told         what those workers tell of them
queue        which messages wait
metering     what this process counts, and the port where it shows that
heart        the thread that shows that this worker lives
reconciler   the thread that finds what should be moving and is not
tending      threads beside it: ops are told, what is stuck is found, what is old is deleted
backend      Celery's result backend, without its subscriptions
consumer     Celery's consumer, which no message can end, and which is soon back after its broker
kombu_fix    a crash of kombu's Redis transport, mended
kombu_clients  one Redis client a channel instead of one a message
"""

from tasks.app import app
from tasks.send import send
from tasks.step import step
from tasks.told import task_failed, task_succeeded

__all__ = ["app", "send", "step", "task_failed", "task_succeeded"]
