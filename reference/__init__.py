"""The reference part of the docs, made from the code: `python -m reference` writes `docs/reference/`.

In reading order: `fields` (definitions and test scripts), `commands`, `calls` (the API), `settings`, `words` (statuses,
events, functions of expressions); `pages` puts them together. A test says where a page is not what the code says.
"""
