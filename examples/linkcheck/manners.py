"""What may be requested: nothing that the user excluded, or another host's robots.txt disallows (protego)."""

from argparse import Namespace
from collections.abc import Callable
from functools import cache
from typing import Final

from protego import Protego

from addresses import host_of, is_loopback, origin_of
from aiopromise import Promise

__all__ = ["AGENT", "Manners", "SkippedError"]

AGENT: Final = "linkcheck"


class SkippedError(Exception):
    """This address is not to be requested."""


class Manners:
    """Decides what may be requested; *fetch_robots* returns a promise for the robots.txt of a server."""

    def __init__(self, start: str, fetch_robots: Callable[[str], Promise[str]], options: Namespace) -> None:
        self._starts_here = is_loopback(start)
        self._excluded = options.exclude
        self._external = options.external
        # One promise per server, however many links wait for it.
        self._robots = cache(lambda origin: fetch_robots(origin).then(Protego.parse))

    async def check(self, url: str, site: str | None) -> None:
        """Return if a check of *site*, or of what turns out to be the site, may request *url*.

        Raises:
            SkippedError: it may not.
        """
        if is_loopback(url) and not self._starts_here:
            raise SkippedError("on this machine, which is requested only if the site is on it")
        if site is None:
            return
        if any(pattern.search(url) for pattern in self._excluded):
            raise SkippedError("excluded")
        if host_of(url) == host_of(site):
            return
        if not self._external and not is_loopback(url):
            raise SkippedError("another host, is checked with --external")
        if not (await self._robots(origin_of(url))).can_fetch(url, AGENT):
            raise SkippedError("disallowed by robots.txt")
