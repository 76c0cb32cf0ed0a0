"""The client of a peer, as a process of its own: starts as many workflows as it is told to, from a few threads.

    python -m benchmarks.starter MODULE

MODULE has `start(base, shape)`, which starts one workflow of the shape and returns when it is accepted; `base` is what
its steps' URLs begin with. A line {"base", "shape", "count"} on standard input is answered with a line when all of
these are accepted. The threads are as many as a web process would have at work: a commit that waits for the disk must
not hold up the next start.
"""

import importlib
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.shapes import Shape, shape_named

THREADS = 8

Start = Callable[[str, Shape], None]


def main(module: str) -> None:
    """Work until standard input ends."""
    start: Start = importlib.import_module(module).start
    with ThreadPoolExecutor(THREADS) as threads:
        print("ready", flush=True)
        for line in sys.stdin:
            wanted = json.loads(line)
            shape = shape_named(wanted["shape"])
            for accepted in [threads.submit(start, wanted["base"], shape) for _ in range(wanted["count"])]:
                accepted.result()
            print("started", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
