"""What `orchestrator demo` shows: other people's services, played here, and a workflow's timeline as a picture.

Read `steps` (what each service does), `books` (what it did, and its memory of idempotency keys), `faults` (how it is
told to fail), `later` and `guarded` (services that answer later, or want to know who is calling), `services` (the Flask
app around them), `shop` (a team's Celery worker); then `stories` and `examples`, the runs, and `spans` and `timeline`,
which draw a workflow.
"""
