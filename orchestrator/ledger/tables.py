"""The tables. Times are seconds since 1970 by the database server's clock; JSON is kept as it came."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"},
)

# SQLite only counts up by itself on INTEGER.
EventId = BigInteger().with_variant(Integer(), "sqlite")

definitions = Table(
    "definitions",
    metadata,
    Column("version", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
)

workflows = Table(
    "workflows",
    metadata,
    Column("id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("version", Text, ForeignKey("definitions.version"), nullable=False),
    Column("status", Text, nullable=False),
    Column("ending", Text),
    Column("compensation", Text, nullable=False),
    Column("compensate", Boolean, nullable=False),
    Column("unsettled", Integer, nullable=False),
    Column("draining", Integer, nullable=False),
    Column("undo_failures", Integer, nullable=False),
    Column("replanned", Boolean, nullable=False),
    Column("context", JSON(none_as_null=False), nullable=False),
    Column("sealed", Text),
    Column("output", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    Column("start_key", Text),
    Column("start_hash", Text),
    Column("traceparent", Text),
    Column("webhook_url", Text),
    # Of `orchestrator.priority`: the lower, the sooner.
    Column("priority", Integer, nullable=False),
    # Who started it, where that was a step of another workflow.
    Column("parent", JSON(none_as_null=True)),
    # The newest fresh copy of it.
    Column("rerun_as", Text),
    Column("created_at", Double, nullable=False),
    Column("completed_at", Double),
    Column("deadline_at", Double),
    Column("wake_at", Double),
    # Room for the next version of a row on its own page: every settle writes one.
    postgresql_with={"fillfactor": 70},
)
Index("ix_workflows_type_id", workflows.c.type, workflows.c.id)
Index("ix_workflows_compensation_id", workflows.c.compensation, workflows.c.id)
Index("ix_workflows_status_id", workflows.c.status, workflows.c.id)
Index("ix_workflows_version", workflows.c.version)  # which versions no workflow uses
Index(
    "ix_workflows_completed_at",  # which ones have been finished for long
    workflows.c.completed_at,
    postgresql_where=workflows.c.completed_at.is_not(None),
    sqlite_where=workflows.c.completed_at.is_not(None),
)
Index("uq_workflows_start_key", workflows.c.type, workflows.c.start_key, unique=True)
Index(
    "ix_workflows_wake_at",
    workflows.c.wake_at,
    postgresql_where=workflows.c.wake_at.is_not(None),
    sqlite_where=workflows.c.wake_at.is_not(None),
)

steps = Table(
    "steps",
    metadata,
    Column("workflow_id", Text, ForeignKey("workflows.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("waits_for", Integer, nullable=False),
    Column("arrived", Integer, nullable=False),
    Column("carrier", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("key_round", Integer, nullable=False),
    Column("effect", Text, nullable=False),
    Column("tolerated", Boolean, nullable=False),
    Column("worker", Text),
    Column("started_at", Double),
    Column("trying_since", Double),
    Column("attempt_at", Double),
    Column("completed_at", Double),
    Column("wake_at", Double),
    Column("sent_at", Double),
    Column("waiting_for", Text),
    Column("memo", JSON(none_as_null=True)),
    Column("following", JSON(none_as_null=True)),
    # How far a step with `forEach` is; written with every item that settles, so it stays small.
    Column("items", JSON(none_as_null=True)),
    # An item's own value, written once.
    Column("item", JSON(none_as_null=True)),
    # SQL NULL is no result; a result that is null is JSON.NULL.
    Column("result", JSON(none_as_null=True)),
    Column("error", JSON(none_as_null=True)),
    postgresql_with={"fillfactor": 70},
)
Index(
    "ix_steps_wake_at",
    steps.c.wake_at,
    postgresql_where=steps.c.wake_at.is_not(None),
    sqlite_where=steps.c.wake_at.is_not(None),
)
Index(
    "ix_steps_approval",  # which ones wait for a person, the one that is due first before the others
    steps.c.wake_at,
    postgresql_where=text("status = 'waiting' AND waiting_for = 'approval'"),
    sqlite_where=text("status = 'waiting' AND waiting_for = 'approval'"),
)

events = Table(
    "events",
    metadata,
    Column("id", EventId, primary_key=True, autoincrement=True),
    # No foreign key: the log is only ever written under the lock of its workflow's row, and checking costs each event.
    Column("workflow_id", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("type", Text, nullable=False),
    Column("step", Text),
    Column("details", JSON, nullable=False),
)
Index("ix_events_workflow_id_id", events.c.workflow_id, events.c.id)

notices = Table(
    "notices",
    metadata,
    Column("id", EventId, primary_key=True, autoincrement=True),
    # No foreign key, for the reason that events have none.
    Column("workflow_id", Text, nullable=False),
    Column("destination", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("details", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    # When it is to be sent (again). NULL: it was told, or given up.
    Column("due_at", Double),
    Column("attempts", Integer, nullable=False),
    Column("told_at", Double),
    Column("error", Text),
)
Index("ix_notices_workflow_id", notices.c.workflow_id)
Index(
    "ix_notices_created_at",  # which ones nobody was told yet
    notices.c.created_at,
    postgresql_where=notices.c.told_at.is_(None),
    sqlite_where=notices.c.told_at.is_(None),
)
Index(
    "ix_notices_destination_due_at",
    notices.c.destination,
    notices.c.due_at,
    postgresql_where=notices.c.due_at.is_not(None),
    sqlite_where=notices.c.due_at.is_not(None),
)

limits = Table(
    "limits",
    metadata,
    Column("key", Text, primary_key=True),
    Column("concurrency", Integer),
    Column("rate", Double),
    Column("circuit", JSON(none_as_null=True)),
    # Who said so by the API. NULL: the definitions that name the key.
    Column("set_by", Text),
    Column("next_at", Double, nullable=False),
    Column("recent", Text, nullable=False),
    Column("open_until", Double),
    Column("openings", Integer, nullable=False),
    Column("used_at", Double, nullable=False),
)

slots = Table(
    "slots",
    metadata,
    # No foreign key, for the reason that events have none: what has no step any more is found and deleted.
    Column("workflow_id", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("key", Text, nullable=False),
    # Of its workflow: who is more urgent is let in before those who have waited longer.
    Column("priority", Integer, nullable=False),
    Column("asked_at", Double, nullable=False),
    # From when on the call may be made. NULL: its turn has not come.
    Column("begins_at", Double),
    # Until when its slot is kept for a step that was woken and has not come for it.
    Column("kept_until", Double),
    # The attempt that has the slot. NULL: none yet.
    Column("attempt", Integer),
)
Index("ix_slots_key_begins_at_asked_at", slots.c.key, slots.c.begins_at, slots.c.priority, slots.c.asked_at)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    # No foreign key, for the reason that events have none.
    Column("workflow_id", Text, nullable=False),
    # Which webhook of the definition; NULL: the one whose URL came with the start.
    Column("place", Integer),
    Column("url", Text),
    Column("shown", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    # When it is to be sent (again). NULL: it was delivered, or given up.
    Column("due_at", Double),
    Column("attempts", Integer, nullable=False),
    Column("delivered_at", Double),
    Column("endpoint", Text),
    Column("error", Text),
    Column("tries", JSON, nullable=False),
)
Index("ix_deliveries_workflow_id", deliveries.c.workflow_id)
Index(
    "ix_deliveries_due_at",
    deliveries.c.due_at,
    postgresql_where=deliveries.c.due_at.is_not(None),
    sqlite_where=deliveries.c.due_at.is_not(None),
)

# Endpoints of webhooks that answered 410.
gone = Table("gone", metadata, Column("endpoint", Text, primary_key=True), Column("at", Double, nullable=False))

schedules = Table(
    "schedules",
    metadata,
    Column("id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("version", Text, ForeignKey("definitions.version"), nullable=False),
    # Whether the definition itself says so, or somebody by the API.
    Column("by_definition", Boolean, nullable=False),
    Column("cron", Text),
    Column("every", Double),
    Column("timezone", Text, nullable=False),
    Column("catch_up", Text, nullable=False),
    Column("context", JSON, nullable=False),
    Column("sealed", Text),
    Column("created_at", Double, nullable=False),
    # From when intervals are counted.
    Column("anchor", Double, nullable=False),
    # The tick that comes next. NULL: it is paused.
    Column("next_at", Double),
    Column("last_at", Double),
    Column("last_workflow_id", Text),
    # Why the newest version of its definition is not used.
    Column("fault", Text),
)
Index("ix_schedules_version", schedules.c.version)
Index(
    "ix_schedules_next_at",
    schedules.c.next_at,
    postgresql_where=schedules.c.next_at.is_not(None),
    sqlite_where=schedules.c.next_at.is_not(None),
)

workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("seen_until", Double, nullable=False),
)
Index("ix_workers_seen_until", workers.c.seen_until)
