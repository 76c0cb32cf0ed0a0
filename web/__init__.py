"""The Flask app: HTTP on the outside, `orchestrator` on the inside. Views ask, the ledger and the domain do.

In reading order:

- `application`: `create_app`, the parts put together;
- `parts`: what the views work with;
- `guarding`: API keys, and the headers that every answer carries;
- `problems`: every error as problem+json;
- `bodies`, `parameters`: reading what a client sends, strictly;
- `starting`, `workflows`, `controlling`, `definitions`, `health`: the views, a blueprint each;
- `dashboard`: the same for people, as pages;
- `operations`, `schemas`, `openapi`: the API's own description, and its page;
- `serving`: a production server around it.
"""

from web.application import create_app

__all__ = ["create_app"]
