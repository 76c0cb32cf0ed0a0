"""A team's own Celery application, as there was one before any workflow: nothing in it knows of the orchestrator.

It consumes the broker that is configured. Run it with `python -m orchestrator.demo.shop`.
"""

from celery import Celery

from celeryconfig import broker_url

app = Celery("shop", broker=broker_url, set_as_current=False)
app.conf.worker_hijack_root_logger = False


@app.task(name="shop.stock.reserve")
def reserve(sku: str, count: int) -> dict[str, object]:
    """Put goods aside."""
    return {"sku": sku, "reserved": count}


if __name__ == "__main__":
    app.worker_main(["--quiet", "worker", "--pool=solo", "--hostname=shop@%h", "--without-gossip", "--without-mingle"])
