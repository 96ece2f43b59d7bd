"""Other interpreters, other processes, and the end of this one: each test runs a program of its own."""

import os
import subprocess
import sys
import textwrap

import pytest

import aiopromise

needs_interpreters = pytest.mark.skipif(
    sys.version_info < (3, 14), reason="concurrent.interpreters came with Python 3.14"
)


def run(program: str) -> str:
    """Return what *program* prints; it must end well, and write nothing to stderr."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (0, "") == (ended.returncode, ended.stderr)
    return ended.stdout


@needs_interpreters
def test_jobs_run_in_other_interpreters() -> None:
    """By submit() and within map(), with what they raise."""
    program = """
        import asyncio, math
        from concurrent.futures import InterpreterPoolExecutor
        from aiopromise import Promise

        async def main():
            with InterpreterPoolExecutor(2) as pool:
                print(await Promise.submit(pool, math.factorial, 10).then(str))
                print(await Promise.map([1, 2, 3], lambda number: Promise.submit(pool, math.factorial, number)))
                print(await Promise.submit(pool, math.sqrt, -1).catch(ValueError, lambda error: "no root"))

        asyncio.run(main())
    """
    assert "3628800\n[1, 2, 6]\nno root\n" == run(program)


@needs_interpreters
@pytest.mark.skipif(aiopromise.compiled, reason="an extension module of Cython is for the main interpreter only")
def test_promises_work_in_an_interpreter_of_their_own() -> None:
    """Next to those of the main one."""
    program = """
        import asyncio
        from concurrent import interpreters
        from aiopromise import Promise

        async def main():
            print(await Promise.all(Promise(asyncio.sleep(0, 1)).then(str), Promise.delay(.01, 2)))

        other = interpreters.create()
        other.exec('''if True:
            import asyncio
            from aiopromise import Promise

            async def main():
                print(await Promise.all(Promise(asyncio.sleep(0, 3)).then(str), Promise.delay(.01, 4)), flush=True)

            asyncio.run(main())
        ''')
        asyncio.run(main())
        other.close()
    """
    assert "('3', 4)\n('1', 2)\n" == run(program)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
def test_a_handler_may_fork() -> None:
    """The child runs a loop of its own; the promises of the parent go on in the parent alone."""
    program = """
        import asyncio, os
        from aiopromise import Promise

        async def child():
            return await Promise(asyncio.sleep(0, "child")).then(str.upper)

        def fork(_):
            if process := os.fork():
                return process
            print(asyncio.run(child()), flush=True)
            os._exit(0)

        async def main():
            pending = Promise.delay(.05, "parent").tap(lambda _: print("settled", flush=True))
            process = await Promise.resolve().then(fork)
            print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
            print(await pending)

        asyncio.run(main())
    """
    assert "CHILD\n0\nsettled\nparent\n" == run(program)


def test_python_exits_while_promises_live_in_a_daemon_thread() -> None:
    """Pending and lost ones, chains, combinators and pools, on a loop that runs meanwhile."""
    program = """
        import asyncio, threading
        from aiopromise import Promise

        async def main():
            waiting = [
                Promise(asyncio.sleep(3600)).then(str),
                Promise.all(Promise.delay(3600), Promise.with_resolvers().promise),
                Promise.map(range(9), lambda number: asyncio.sleep(3600), concurrency=2),
                Promise.reject(ValueError("nobody has handled this yet")),
            ]
            while True:
                await Promise.delay(0).then(str)
                ready.set()

        ready = threading.Event()
        threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
        ready.wait()
    """
    assert "" == run(program)
