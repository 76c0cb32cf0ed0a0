"""What a user of Restate writes: a handler whose calls are journalled with `run_typed`, served by Hypercorn."""

import http.client
import json
import os
import threading
from functools import cache

import aiohttp
import restate

from benchmarks.shapes import Shape, shape_named
from orchestrator.jsontype import Json

bench = restate.Service("bench")


async def call(base: str, workflow: str, step: str, previous: Json) -> Json:
    """Call the step's service."""
    headers = {"Idempotency-Key": f"{workflow}/{step}", "X-Workflow-Id": workflow, "X-Step": step}
    body = {"workflowId": workflow, "step": step, "previous": previous}
    async with _session().post(f"{base}/{step}", json=body, headers=headers) as answer:
        answer.raise_for_status()
        return await answer.json()


@bench.handler()
async def run(ctx: restate.Context, wanted: Json) -> None:
    """Stage after stage."""
    previous = None
    workflow = ctx.request().id
    for stage in shape_named(wanted["shape"]).stages:
        called = [
            ctx.run_typed(step, call, base=wanted["base"], workflow=workflow, step=step, previous=previous)
            for step in stage
        ]
        await restate.gather(*called)
        previous = (await called[0])["id"]


@cache
def _session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=int(os.environ["BENCH_CONCURRENCY"]))
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30))


app = restate.app(services=[bench])

_clients = threading.local()


def start(base: str, shape: Shape) -> None:
    """Hand one over to the server's ingress."""
    if not hasattr(_clients, "ingress"):
        _clients.ingress = http.client.HTTPConnection("127.0.0.1", int(os.environ["BENCH_INGRESS_PORT"]), timeout=30)
    body = json.dumps({"base": base, "shape": shape.name})
    _clients.ingress.request("POST", "/bench/run/send", body, {"Content-Type": "application/json"})
    answer = _clients.ingress.getresponse()
    said = answer.read()
    if answer.status >= http.client.BAD_REQUEST:
        raise RuntimeError(f"the ingress answered {answer.status}: {said[:200]!r}")
