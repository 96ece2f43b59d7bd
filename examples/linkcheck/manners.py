"""Whom a checker of links may ask, and for what."""

from argparse import Namespace
from functools import cache

from protego import Protego

from addresses import is_loopback, origin_of
from aiopromise import Promise
from web import AGENT, FAILURES, Web

__all__ = ["Manners", "SkippedError"]


class SkippedError(Exception):
    """Nobody is asked for this."""


class Manners:
    """Knows what the user has excluded, and what other servers do not want to be asked for."""

    def __init__(self, web: Web, options: Namespace) -> None:
        self._web = web
        self._excluded = options.exclude
        self._external = options.external
        # One promise for each server, however many wait for it.
        self._robots = cache(self._ask_for_robots)

    async def allow(self, url: str) -> None:
        """Return if *url* may be asked for.

        Raises:
            SkippedError: it may not.
        """
        site, origin = self._web.site, origin_of(url)
        if site is None:
            return
        if any(pattern.search(url) for pattern in self._excluded):
            raise SkippedError("excluded")
        if origin == site:
            return
        is_local = is_loopback(url)
        if is_local and not is_loopback(site):
            raise SkippedError("this machine, is not asked for another's sake")
        if not (is_local or self._external):
            raise SkippedError("another host, is checked with --external")
        if not (await self._robots(origin)).can_fetch(url, AGENT):
            raise SkippedError("its robots.txt does not want it asked for")

    def _ask_for_robots(self, origin: str) -> Promise[Protego]:
        asked = Promise(self._web.ask("GET", f"{origin}/robots.txt", {"text/plain"}))
        # Without an answer there are no rules.
        return asked.then(lambda answer: answer.text).catch(FAILURES, lambda _: "").then(Protego.parse)
