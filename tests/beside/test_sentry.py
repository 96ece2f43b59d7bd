"""sentry-sdk: an unhandled rejection is an event, with the scope in which it happened."""

import asyncio
from collections.abc import Iterator

import pytest

from aiopromise import Promise, on_unhandled_rejection

sentry_sdk = pytest.importorskip("sentry_sdk", reason="sentry-sdk is not installed: see .ci/beside")
asyncio_integration = pytest.importorskip("sentry_sdk.integrations.asyncio")


@pytest.fixture
def events() -> Iterator[list[dict]]:
    """Set sentry-sdk up as a program does, and return the list of what it would send."""
    found: list[dict] = []
    sentry_sdk.init(
        dsn="https://key@example.invalid/1",
        before_send=lambda event, hint: found.append(event),
        default_integrations=False,
        auto_enabling_integrations=False,
    )
    yield found
    sentry_sdk.get_client().close()
    sentry_sdk.init()


async def fails(name: str) -> None:
    sentry_sdk.set_tag("name", name)
    await asyncio.sleep(0)
    raise OSError(f"no {name}")


def told(events: list[dict]) -> list[tuple[str, str]]:
    return [(values[-1]["type"], values[-1]["value"]) for event in events for values in [event["exception"]["values"]]]


async def test_an_unhandled_rejection_is_sent_in_one_line(events: list[dict]) -> None:
    """With the traceback of the line that failed; what is handled is not sent."""
    remove = on_unhandled_rejection(lambda event: sentry_sdk.capture_exception(event.reason))
    forgotten = Promise(fails("answer"))
    await Promise(fails("matter")).catch(OSError, lambda error: None)
    await asyncio.wait([forgotten])
    await asyncio.sleep(0)
    remove()
    assert [("OSError", "no answer")] == told(events)
    assert "fails" == events[0]["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"]


async def test_the_task_factory_of_the_integration_starts_the_tasks_of_links(events: list[dict]) -> None:
    """It sends what fails in a Task itself, also what is handled later, as for any Task."""
    asyncio_integration.patch_asyncio()
    sentry_sdk.get_client().integrations["asyncio"] = asyncio_integration.AsyncioIntegration()
    promise = Promise.resolve("answer").then(fails)
    assert "handled" == await promise.catch(OSError, lambda error: "handled")
    assert [("OSError", "no answer")] == told(events)
