"""A whole world for one workflow, in memory and under a dice's control: the pure core with nothing real around it.

Its rows and its broker are the test kit's (`orchestrator.testkit`). In reading order:

- `drawing`: definitions, written in a line or drawn at random;
- `books`: services that keep their own books, honour keys or do not, and answer as badly as they are told to;
- `children`: workflows that its steps start;
- `world`: all of these together, with everything that can happen to them as methods;
- `invariants`: what must be true after every move, at every call, and at the end;
- `audit`: what the books alone must say in the end, whatever the ledger believes;
- `fate`: who decides what happens next: nothing unforeseen, or any fault at any moment;
- `scene`: the same world for a test that tells a story step by step.

Everything random comes from one `random.Random`: a seed repeats a run, and hypothesis can shrink one.
"""
