"""What happens in this process, as Prometheus reads it: the one module that knows `prometheus_client`.

Labels are types and steps of the definitions in the folder, statuses and the like: words of which there are few, never
an id. A type or a step that the folder does not have (a definition that came with its start, an older version) is
`other`. Workers import this module only where they are given a port for it.

Where several processes answer as one (gunicorn's, a prefork pool's) they share a folder, as `prometheus_client` has it:
each writes files of its own there, and whoever is asked adds them up.
"""

import atexit
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator import meters
from orchestrator.definition import Definition
from orchestrator.meters import ATTEMPT_ENDS, STEP_ENDS, WORKFLOW_ENDS, ends_attempt
from orchestrator.workflow import UNDO, Event, Workflow

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
OTHER = "other"
"""Stands for every type and step that no definition in the folder has."""

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Where `prometheus_client` looks for the folder that several processes share."""

HOP = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
ATTEMPT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
WHOLE = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600, 21_600, 86_400)
TRANSACTION = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
MOVES = (1, 2, 5, 10, 20, 50, 100)
"""Upper bounds of histograms' buckets: seconds, and moves in a transaction."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A gauge as it was read just now: its name (without `orchestrator_`), its meaning, and a value for each label.

    `label` is the one label's name; a gauge without labels has its value under the empty text.
    """

    name: str
    meaning: str
    values: Mapping[str, float]
    label: str | None = None


class _Readings(Collector):
    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        for one in self._readings:
            family = GaugeMetricFamily(f"orchestrator_{one.name}", one.meaning, labels=[one.label] if one.label else [])
            for value, number in one.values.items():
                family.add_metric([value] if one.label else [], number)
            yield family


def rendered(readings: Iterable[Reading]) -> bytes:
    """The readings as text for Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Readings(readings))
    return generate_latest(registry)


class Metrics:
    """The metrics of this process, told by `orchestrator.meters`. One for each process, for all its threads."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self.registry = CollectorRegistry()
        self._steps = {one.type: frozenset(one.steps) for one in definitions}
        counter, histogram = self._counter, self._histogram
        self._started = counter("workflows_started", "Workflows that were started.", "type")
        self._ended = counter("workflows_ended", "Workflows that ended.", "type", "status", "compensation")
        self._lasted = histogram("workflow_seconds", "From start to end of a workflow.", WHOLE, "type", "status")
        self._stuck = counter("workflows_stuck", "Workflows that were found stuck, once each.", "type")
        self._attempts = counter("attempts", "Attempts that ended.", "type", "step", "outcome")
        self._attempt = histogram("attempt_seconds", "One attempt's call.", ATTEMPT, "type", "step")
        self._steps_ended = counter("steps_ended", "Steps that settled.", "type", "step", "status")
        meaning = "From a step's first attempt to its end, waits included."
        self._step = histogram("step_seconds", meaning, WHOLE, "type", "step")
        self._hop = histogram("hop_seconds", "From the settle that made a step ready to its claim by a worker.", HOP)
        self._resent = counter("messages_resent", "Messages that the reconciler sent again.", "type")
        self._rows = counter("reconciler_rows", "Rows that the reconciler looked at.")
        self._round = histogram("reconciler_round_seconds", "One round of the reconciler.", TRANSACTION)
        self._batch = histogram("clerk_batch_moves", "Moves that shared one transaction.", MOVES)
        self._transaction = histogram("clerk_transaction_seconds", "One transaction of the clerk.", TRANSACTION)
        self._connections = Gauge(
            "orchestrator_database_connections_in_use",
            "Database connections in use.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        # An alert must see them rise from nothing.
        for name in (*self._steps, OTHER):
            for metric in (self._started, self._stuck, self._resent):
                metric.labels(name)

    def started(self, workflow_type: str) -> None:
        """See `meters.Listener`."""
        self._count(self._started, self._type(workflow_type))

    def moved(self, workflow: Workflow) -> None:
        """See `meters.Listener`."""
        name = self._type(workflow.head.type)
        for event in workflow.events:
            if event.step is not None:
                self._of_step(workflow, name, event, event.step)
            elif event.type in WORKFLOW_ENDS:
                self._of_end(workflow, name)
            elif event.type == "workflow.stuck":
                self._count(self._stuck, name)

    def batch(self, moves: int, seconds: float) -> None:
        """See `meters.Listener`."""
        self._batch.observe(moves)
        self._transaction.observe(seconds)

    def round(self, rows: int, seconds: float) -> None:
        """See `meters.Listener`."""
        self._rows.inc(rows)
        self._round.observe(seconds)

    def connections(self, change: int) -> None:
        """See `meters.Listener`."""
        self._connections.inc(change)

    def exposed(self) -> bytes:
        """The text for Prometheus: what this process counts, and those it shares a folder with."""
        folder = os.environ.get(FOLDER)
        if folder is None:
            return generate_latest(self.registry)
        _forget_the_dead(Path(folder))
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]  # theirs
        return generate_latest(registry)

    def _of_step(self, workflow: Workflow, name: str, event: Event, step_name: str) -> None:
        step = workflow.find(step_name)
        if step is None:
            return
        labels = (name, self._step_label(workflow.head.type, step_name))
        if event.type == "step.started":
            if step.attempts == 1 and step.sent_at is not None and step.attempt_at is not None:
                self._observe(self._hop, step.attempt_at - step.sent_at)
            return
        if event.type == "step.resent":
            self._count(self._resent, name)
            return
        if "key" in event.details and "durationMs" in event.details:
            self._observe(self._attempt, event.details["durationMs"] / 1000, *labels)
        if ends_attempt(event):
            self._count(self._attempts, *labels, ATTEMPT_ENDS[event.type])
        if event.type in STEP_ENDS:
            self._count(self._steps_ended, *labels, STEP_ENDS[event.type])
            if step.started_at is not None and step.completed_at is not None:
                self._observe(self._step, step.completed_at - step.started_at, *labels)

    def _of_end(self, workflow: Workflow, name: str) -> None:
        head = workflow.head
        self._count(self._ended, name, head.status.value, head.compensation.value)
        if head.completed_at is not None:
            self._observe(self._lasted, head.completed_at - head.created_at, name, head.status.value)

    def _type(self, name: str) -> str:
        return name if name in self._steps else OTHER

    def _step_label(self, workflow_type: str, step: str) -> str:
        return step if step.removesuffix(UNDO) in self._steps.get(workflow_type, ()) else OTHER

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"orchestrator_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"orchestrator_{name}", meaning, labels, buckets=buckets, registry=self.registry)

    def _count(self, metric: Counter, *labels: str) -> None:
        metric.labels(*labels).inc()

    def _observe(self, metric: Histogram, seconds: float, *labels: str) -> None:
        (metric.labels(*labels) if labels else metric).observe(max(0.0, seconds))


def _forget_the_dead(folder: Path) -> None:
    """Leave out what processes that have ended held; what they counted stays."""
    for path in folder.glob("gauge_live*.db"):
        pid = int(path.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            multiprocess.mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]  # theirs
        except PermissionError:
            continue


_begun: dict[int, Metrics] = {}
_beginning = threading.Lock()


def share() -> None:
    """Have this process and those that it forks count as one, in a folder that goes when this process ends."""
    folder, owner = tempfile.mkdtemp(prefix="orchestrator-metrics-"), os.getpid()
    os.environ[FOLDER] = folder
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)


def begin(definitions: Iterable[Definition]) -> Metrics:
    """Count what happens in this process from now on; a second call gives what the first one began.

    Not so in a child that was forked since: it begins anew, as a thread of its parent may have held a lock just then.
    """
    with _beginning:
        found = _begun.get(os.getpid())
        return found or _anew(definitions)


def _anew(definitions: Iterable[Definition]) -> Metrics:
    disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs
    shared = FOLDER in os.environ
    values.ValueClass = values.MultiProcessValue() if shared else values.MutexValue  # type: ignore[no-untyped-call]
    for earlier in _begun.values():
        meters.unlisten(earlier)
    _begun.clear()
    made = _begun[os.getpid()] = Metrics(definitions)
    meters.listen(made)
    return made
