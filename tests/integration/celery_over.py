"""A small Celery application on the Redis of `TEST_REDIS_URL`, for tests that need a real worker."""

import os

from celery import Celery, chord

app = Celery("celery_over", broker=os.environ["TEST_REDIS_URL"], backend=os.environ["TEST_REDIS_URL"])
app.conf.broker_connection_retry_on_startup = True


@app.task  # type: ignore[untyped-decorator]  # Celery has no types
def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


@app.task  # type: ignore[untyped-decorator]  # Celery has no types
def total(numbers: list[int]) -> int:
    """The sum of what the header tasks gave."""
    return sum(numbers)


def doubled_total() -> int:
    """A chord's answer: published, carried, counted and returned over that Redis."""
    answer: int = chord([double.s(number) for number in range(10)])(total.s()).get(timeout=30)
    return answer
