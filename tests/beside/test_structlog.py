"""structlog: what is bound to the context is logged in every link."""

import pytest

from aiopromise import Promise

structlog = pytest.importorskip("structlog", reason="structlog is not installed: see .ci/beside")
contextvars = pytest.importorskip("structlog.contextvars")
testing = pytest.importorskip("structlog.testing")


async def test_every_link_logs_what_was_bound_where_it_was_attached() -> None:
    """Whatever is bound later, or in another link."""
    log = structlog.get_logger()

    async def fetch(number: int) -> int:
        with contextvars.bound_contextvars(number=number):
            await Promise.delay(0.001)
            log.info("fetched")
            return number

    processors = [contextvars.merge_contextvars]
    with testing.capture_logs(processors=processors) as lines, contextvars.bound_contextvars(request="r1"):
        promise = Promise.map([1, 2], fetch).then(lambda numbers: log.info("done", count=len(numbers)))
        contextvars.bind_contextvars(request="r2")
        await promise
    assert [
        {"event": "fetched", "log_level": "info", "request": "r1", "number": 1},
        {"event": "fetched", "log_level": "info", "request": "r1", "number": 2},
        {"event": "done", "log_level": "info", "request": "r1", "count": 2},
    ] == lines
