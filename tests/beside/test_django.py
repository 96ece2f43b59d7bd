"""Django's async views, served by uvicorn and asked by httpx."""

import threading
from contextvars import ContextVar
from typing import Any

import pytest

from aiopromise import Promise, promisify
from beside.endless import Endless
from beside.served import ask_and_leave, served

django = pytest.importorskip("django", reason="Django is not installed: see .ci/beside")
asgi = pytest.importorskip("django.core.asgi")
conf = pytest.importorskip("django.conf")
http = pytest.importorskip("django.http")
urls = pytest.importorskip("django.urls")
sync = pytest.importorskip("asgiref.sync")

# Django's settings are those of the process: each test puts its own views here.
urlpatterns: list[Any] = []


@pytest.fixture
def application() -> Any:
    """Return an application of the views in `urlpatterns`."""
    if not conf.settings.configured:
        conf.settings.configure(
            ALLOWED_HOSTS=["*"], SECRET_KEY="for a test", ROOT_URLCONF=__name__, LOGGING_CONFIG=None
        )
    urlpatterns.clear()
    urls.clear_url_caches()
    return asgi.get_asgi_application()


async def test_a_view_answers_with_what_a_chain_gives(application: Any) -> None:
    """Its sync links may run in Django's thread, as any of its sync code."""
    threads = []

    def from_the_database(number: int) -> int:
        threads.append(threading.current_thread())
        return number * 2

    async def page(request: Any, number: int) -> Any:
        return await (
            Promise.resolve(number)
            .then(sync.sync_to_async(from_the_database))
            .then(lambda double: http.JsonResponse({"double": double}))
        )

    urlpatterns.append(urls.path("<int:number>", page))
    async with served(application) as client:
        answers = await Promise.map([1, 2], lambda number: client.get(f"/{number}"))
    assert [{"double": 2}, {"double": 4}] == [answer.json() for answer in answers]
    assert threading.main_thread() not in threads


async def test_a_promisified_function_is_a_view(application: Any) -> None:
    """Django knows that it has to await what it returns."""

    @promisify
    async def page(request: Any) -> Any:
        return http.HttpResponse("here")

    urlpatterns.append(urls.path("", page))
    async with served(application) as client:
        assert "here" == (await client.get("/")).text


async def test_a_client_that_disconnects_cancels_the_work(application: Any, endless: Endless) -> None:
    """Django cancels the view, which awaits a promise."""

    async def page(request: Any) -> Any:
        return await Promise(endless()).then(http.JsonResponse)

    urlpatterns.append(urls.path("", page))
    async with served(application) as client:
        await ask_and_leave(client, endless)


async def test_what_a_view_sets_is_seen_in_its_links_and_in_its_thread(
    application: Any, visitor: ContextVar[str]
) -> None:
    """Each request has its own."""

    async def page(request: Any, name: str) -> Any:
        visitor.set(name)
        seen = await Promise.delay(0.001).then(lambda _: visitor.get())
        return http.JsonResponse([seen, await Promise(sync.sync_to_async(visitor.get)())], safe=False)

    urlpatterns.append(urls.path("<name>", page))
    async with served(application) as client:
        answers = await Promise.all(client.get("/Ann"), client.get("/Bob"))
    assert [["Ann"] * 2, ["Bob"] * 2] == [answer.json() for answer in answers]
