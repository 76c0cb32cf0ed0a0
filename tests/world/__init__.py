"""A whole world for one workflow, in memory and under a dice's control: the pure core with nothing real around it.

In reading order:

- `drawing`: definitions, written in a line or drawn at random;
- `ledger`: rows to which moves are applied just as `orchestrator.ledger.book` does: a forgotten write is lost;
- `broker`: messages, and what Celery makes of chains, groups and chords as they end;
- `books`: services that keep their own books, honour keys or do not, and answer as badly as they are told to;
- `world`: all of these together, with everything that can happen to them as methods;
- `invariants`: what must be true after every move, at every call, and at the end;
- `audit`: what the books alone must say in the end, whatever the ledger believes;
- `fate`: who decides what happens next: nothing unforeseen, or any fault at any moment;
- `scene`: the same world for a test that tells a story step by step.

Everything random comes from one `random.Random`: a seed repeats a run, and hypothesis can shrink one.
"""
