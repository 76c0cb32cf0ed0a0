"""Definitions tried against scripted answers: no server, no database, and no time passes.

A case says what the services answer and what must come of it. The moves, the requests and the judging are the real
ones; only the rows, the broker, the services and the clock are not.

In reading order:

- `case`: a case as typed values; `fields`, `script`: the file in which cases are written, and its reader;
- `rows`: a ledger in memory, to which moves are applied as to the tables;
- `broker`: messages, and what Celery makes of chains, groups and chords as they end;
- `services`: who answers as the case says, and notes every call;
- `others`: child workflows and Celery tasks, answered likewise; `later`: what is said of a step that waits;
- `gates`: limits, with nobody else beside the workflow;
- `play`, `run`: one workflow from start to end, and what became of it;
- `judgement`, `report`: what is otherwise than expected, and how one reads it;
- `recording`: a finished workflow as a script;
- `plugin`: cases and the fixture `workflow_test` in pytest.
"""
