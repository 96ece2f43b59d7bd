"""Runs an example of the documentation in a web worker."""

import asyncio
import time
import traceback
from asyncio import base_events, events
from pathlib import Path


class Sleep:
    """Waits for time to pass: in a worker there is nothing else that a loop could wait for."""

    @staticmethod
    def select(timeout):
        """Block, as a worker may, until the next timer is due."""
        if timeout is None:
            raise RuntimeError("the program waits for something that cannot happen")
        time.sleep(timeout)


class Loop(base_events.BaseEventLoop):
    """The loop of asyncio itself. With Pyodide's own, asyncio.run() works only in browsers that have JSPI."""

    _selector = Sleep

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        pass


class Policy(events._BaseDefaultEventLoopPolicy):
    """Makes such loops for asyncio.run()."""

    _loop_factory = Loop


events._set_event_loop_policy(Policy())


def run(code):
    """Run a program, and print the traceback if it fails."""
    # Pyodide's own loop is always running.
    asyncio._set_running_loop(None)
    # A traceback quotes its lines.
    Path("example.py").write_text(code)
    try:
        exec(compile(code, "example.py", "exec"), {"__name__": "__main__"})
    except BaseException as error:
        traceback.print_exception(error.with_traceback(error.__traceback__.tb_next))
