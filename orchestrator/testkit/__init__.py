"""Definitions tried against scripted answers: no server, no database, and no time passes.

A case says what the services answer and what must come of it. The moves, the requests and the judging are the real
ones; only the rows, the broker, the services and the clock are not.

In reading order:

- `rows`: a ledger in memory, to which moves are applied as to the tables;
- `broker`: messages, and what Celery makes of chains, groups and chords as they end;
"""
