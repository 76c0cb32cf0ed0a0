"""What `orchestrator demo` shows: other people's services, played here, and a workflow's timeline as a picture.

Read `steps` (what each service does), `books` (what it did, and its memory of idempotency keys), `faults` (how it is
told to fail), `services` (the Flask app around them); then `spans` and `timeline`, which draw a workflow.
"""
