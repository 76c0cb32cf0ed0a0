"""What a user of DBOS writes: a workflow function whose steps are awaited, side by side where they may be.

Asynchronous, because its workflows mostly wait for services. It also is the client: lines on standard input say what to
start, and `start_workflow_async` returns when a workflow is durably there.
"""

import asyncio
import json
import os
import sys
import uuid

import aiohttp
from dbos import DBOS, DBOSConfig, SetWorkflowID

from benchmarks.shapes import shape_named
from benchmarks.starter import THREADS
from orchestrator.jsontype import Json

_sessions: list[aiohttp.ClientSession] = []


@DBOS.step(retries_allowed=True)
async def call(base: str, step: str, previous: Json) -> Json:
    """Call the step's service."""
    workflow = str(DBOS.workflow_id)
    headers = {"Idempotency-Key": f"{workflow}/{step}", "X-Workflow-Id": workflow, "X-Step": step}
    body = {"workflowId": workflow, "step": step, "previous": previous}
    async with _sessions[0].post(f"{base}/{step}", json=body, headers=headers) as answer:
        answer.raise_for_status()
        return await answer.json()


@DBOS.workflow()
async def run(base: str, shape: str) -> None:
    """Stage after stage."""
    previous = None
    for stage in shape_named(shape).stages:
        results = await asyncio.gather(*[call(base, step, previous) for step in stage])
        previous = results[0]["id"]


async def main() -> None:
    """Work until standard input ends."""
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": os.environ["BENCH_DATABASE_URL"],
        "executor_id": os.environ["BENCH_EXECUTOR"],
        "application_version": "1",
    }
    DBOS(config=config)
    DBOS.launch()
    connector = aiohttp.TCPConnector(limit=int(os.environ["BENCH_CONCURRENCY"]))
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30)) as session:
        _sessions.append(session)
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            await _start(json.loads(line))
            print("started", flush=True)
    DBOS.destroy()


async def _start(wanted: Json) -> None:
    at_once = asyncio.Semaphore(THREADS)

    async def one() -> None:
        async with at_once:
            with SetWorkflowID(str(uuid.uuid4())):
                await DBOS.start_workflow_async(run, wanted["base"], wanted["shape"])

    await asyncio.gather(*[one() for _ in range(wanted["count"])])


if __name__ == "__main__":
    asyncio.run(main())
