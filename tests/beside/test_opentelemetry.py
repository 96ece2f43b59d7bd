"""OpenTelemetry: a span that is made in a link belongs to the span in which the link was attached."""

from typing import Any

import pytest

from aiopromise import Promise

trace = pytest.importorskip("opentelemetry.sdk.trace", reason="OpenTelemetry is not installed: see .ci/beside")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
in_memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")


@pytest.fixture
def spans() -> Any:
    """Return where the spans that have ended are kept."""
    return in_memory.InMemorySpanExporter()


@pytest.fixture
def tracer(spans: Any) -> Any:
    """Return what makes spans."""
    provider = trace.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(export.SimpleSpanProcessor(spans))
    return provider.get_tracer("test")


def parents(spans: Any) -> dict[str, str | None]:
    """Return the name of the parent of each span."""
    names = {span.context.span_id: span.name for span in spans.get_finished_spans()}
    return {span.name: names.get(span.parent and span.parent.span_id) for span in spans.get_finished_spans()}


async def test_spans_of_links_and_calls_belong_to_the_span_around_them(tracer: Any, spans: Any) -> None:
    async def fetch(number: int) -> int:
        with tracer.start_as_current_span(f"fetch {number}"):
            return await Promise.delay(0.001, number).tap(connect)

    def connect(number: int) -> None:
        with tracer.start_as_current_span(f"connect {number}"):
            pass

    def parse(numbers: list[int]) -> None:
        with tracer.start_as_current_span("parse"):
            pass

    with tracer.start_as_current_span("request"):
        promise = Promise.map([1, 2], fetch).then(parse)
    await promise
    assert {
        "request": None,
        "fetch 1": "request",
        "fetch 2": "request",
        "connect 1": "fetch 1",
        "connect 2": "fetch 2",
        "parse": "request",
    } == parents(spans)


async def test_a_span_around_an_await_ends_with_the_error_of_the_promise(tracer: Any, spans: Any) -> None:
    with pytest.raises(OSError, match="no"), tracer.start_as_current_span("request"):
        await Promise.reject(OSError("no"))
    [span] = spans.get_finished_spans()
    assert ("ERROR", "OSError: no") == (span.status.status_code.name, span.status.description)
