"""What `orchestrator demo` shows: other people's services, played here, and a workflow's timeline as a picture.

Read `services` (the Flask app that plays them), `books` (what each service did, and its memory of idempotency keys),
`faults` (how a service is told to fail), then `timeline`. Nothing outside the demo imports this package.
"""
