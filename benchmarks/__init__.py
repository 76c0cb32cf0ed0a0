"""Benchmarks: this project beside what a user would pick instead, in one run. See README.md.

shapes       the workflows that are measured
services     the services that all of them call; books: what those say of hops
places       where a run happens; children: processes that a benchmark starts
servers      Redis and PostgreSQL; accounting: what processes cost
peer         what every peer can do; starter: its client
bare_celery, by_hand, dbos_peer, restate_peer, orchestrator_peer       the peers,
bare_celery_app, by_hand_app, dbos_app, restate_app, orchestrator_app  and the code that a user would write for them
workloads    what is measured of every peer; web_workloads: what only this project has
load         a generator of HTTP requests; prefill: a ledger with many finished workflows
machine      what the figures were made on
rounds       everybody in turn, again and again; figures: medians and ratios; table: how they are printed
profile      where a step's CPU goes
"""
