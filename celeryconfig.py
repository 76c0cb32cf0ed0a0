"""Celery's own settings: `celery -A tasks worker` reads them here, everything else is in `orchestrator.settings`.

No setting is left at a default that is wrong for a broker one may lose: the ledger brings back what Redis forgets.
"""

from orchestrator.embedded import embedded_url
from orchestrator.settings import Settings
from orchestrator.shares import threads_for

_settings = Settings.from_environment()
_threads = threads_for(_settings.concurrency)

broker_url = _settings.redis_url or embedded_url(_settings.data)
# A Unix socket is `redis+socket://` to the broker and `socket://` to the backend.
result_backend = f"tasks.backend:QuietRedisBackend+{broker_url.removeprefix('redis+')}"

task_default_queue = "orchestrator"
# One a priority (tasks.queues), as one names them to `celery worker -Q`: without that, a worker consumes them all.
task_queues = {
    name: {"exchange": name, "routing_key": name}
    for name in ("orchestrator.high", task_default_queue, "orchestrator.low")
}
task_serializer = result_serializer = "json"
accept_content = ["json"]

# Results are in the ledger. Celery's own exist only as far as chords need them to count. What a failed or delayed step
# leaves of a chord fills Redis until it expires; a chord that takes longer is joined by the ledger, a few seconds late.
task_ignore_result = True
result_expires = 3_600

# A message is acknowledged when its step begins: what happens to the step from then on is the ledger's business. Late
# acknowledgement would only send a copy after the visibility time-out, an hour later, to be refused.
task_acks_late = False
task_track_started = False

# Threads: an attempt waits for a service, and hundreds of waits fit into one process. Not gevent or eventlet: they
# never give back unacknowledged messages and fail acknowledgements on a full pool of connections.
worker_pool = "threads"
worker_concurrency = _threads
worker_prefetch_multiplier = 1
# One that drops messages which it cannot understand: Celery's own would end, and the next worker after it.
worker_consumer = "tasks.consumer:SturdyConsumer"

# Publishing never blocks for long: what cannot be sent now is sent by the reconciler.
task_publish_retry = False
broker_connection_timeout = 3
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_pool_limit = _threads + 10
redis_max_connections = _threads + 50
redis_socket_timeout = 5
redis_socket_connect_timeout = 3
redis_retry_on_timeout = True
broker_transport_options = {
    "max_connections": _threads + 50,
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
    # Longer than any wait for a free thread: sooner, messages that merely wait would come twice.
    "visibility_timeout": 3_600,
    # A publisher without a connection: kombu would try for 2 + 4 s, with a client waiting for its 202. Workers
    # reconnect by `broker_connection_…`.
    "max_retries": 0,
    # What is urgent goes first, always.
    "queue_order_strategy": "tasks.queues:UrgentFirst",
}

# Events for Flower cost a third of a task: `-E` (docker-compose.yml has it) turns them on.
worker_send_task_events = False
task_send_sent_event = False
worker_hijack_root_logger = False
worker_redirect_stdouts = False
