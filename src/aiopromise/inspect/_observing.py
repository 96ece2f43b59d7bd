"""The instruments of the running loop."""

from aiopromise._instruments import Instrument
from aiopromise._loops import known_queue, observe, running_loop, running_queue

__all__ = ["add_instrument", "remove_instrument"]


def add_instrument(instrument: Instrument, /) -> None:
    """Have *instrument* observe the promises that are made on the running loop from now on.

    One that has been added already is not added again. Several are called in the order in which they were added.

    Raises:
        TypeError: *instrument* is not an `Instrument`, or one of its methods is async.
        RuntimeError: no event loop is running.

    Example:
        >>> import asyncio
        >>> from aiopromise import Promise
        >>> from aiopromise.inspect import Instrument, add_instrument
        >>> class Made(Instrument):
        ...     def promise_created(self, promise, call, parent):
        ...         print(call)
        >>> async def main():
        ...     add_instrument(Made())
        ...     await Promise.all([1, 2]).then(sum)
        >>> asyncio.run(main())
        Promise.all
        then
    """
    running_loop("add_instrument", instrument)
    observe(running_queue("add_instrument"), instrument)


def remove_instrument(instrument: Instrument, /) -> None:
    """Stop *instrument* from observing the promises of the running loop.

    Raises:
        KeyError: it was not added, or was removed already, maybe because it raised an exception.
        RuntimeError: no event loop is running.

    Example:
        >>> import asyncio
        >>> from aiopromise.inspect import Instrument, remove_instrument
        >>> async def main():
        ...     try:
        ...         remove_instrument(Instrument())
        ...     except KeyError:
        ...         print("it was not added")
        >>> asyncio.run(main())
        it was not added
    """
    queue = known_queue(running_loop("remove_instrument", instrument))
    if queue is None:
        raise KeyError(instrument)
    queue.tracer.instruments.remove(instrument)
