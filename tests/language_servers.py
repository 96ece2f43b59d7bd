"""Language servers, asked over LSP as an editor asks them: what they show of a name, and what they complete it to."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from type_checkers import CHECKERS, environ, why_absent

# The command of each.
SERVERS = {
    "pyright": ["pyright-langserver", "--stdio"],
    "basedpyright": ["basedpyright-langserver", "--stdio"],
    "pyrefly": ["pyrefly", "lsp"],
    "ty": ["ty", "server"],
    "jedi": ["jedi-language-server"],
}
PROGRAMS = Path(sys.executable).parent


class Editor:
    """An editor in which a program is open, with a language server of its own.

    The client of pygls is too strict for it: it refuses messages of ty and pyrefly that are newer than its protocol.
    """

    def __init__(self, server: str, program: Path) -> None:
        command, *options = SERVERS[server]
        self._document = {"uri": program.as_uri()}
        self._requests = 0
        self._server = subprocess.Popen(
            [PROGRAMS / command, *options],
            cwd=program.parent,
            env=environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        folder = {"uri": program.parent.as_uri(), "name": "program"}
        capabilities = {
            "workspace": {"configuration": True, "workspaceFolders": True},
            "textDocument": {"hover": {"contentFormat": ["markdown"]}},
        }
        self._ask("initialize", processId=None, workspaceFolders=[folder], capabilities=capabilities)
        self._send(method="initialized", params={})
        opened = {**self._document, "languageId": "python", "version": 1, "text": program.read_text()}
        self._send(method="textDocument/didOpen", params={"textDocument": opened})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ask("shutdown")
        self._send(method="exit")
        self._server.communicate(timeout=20)

    def hover(self, line: int, column: int) -> str:
        """Return what is shown of the name there."""
        found = self._ask_at("textDocument/hover", line, column)
        return found["contents"]["value"] if found else ""

    def completions(self, line: int, column: int) -> set[str]:
        """Return what is offered there."""
        found = self._ask_at("textDocument/completion", line, column)
        return {item["label"] for item in (found["items"] if isinstance(found, dict) else found)}

    def _ask_at(self, method: str, line: int, column: int) -> Any:
        return self._ask(method, textDocument=self._document, position={"line": line, "character": column})

    def _ask(self, method: str, **params: Any) -> Any:
        self._requests += 1
        self._send(id=self._requests, method=method, **({"params": params} if params else {}))
        while (message := self._receive()).get("id") != self._requests or "method" in message:
            if "method" in message and "id" in message:
                # It asks for settings, of which there are none, or announces something.
                settings = [{} for _ in message.get("params", {}).get("items", [])]
                self._send(id=message["id"], result=settings or None)
        return message["result"]

    def _send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._server.stdin is not None
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._server.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._server.stdout is not None
        headers = {}
        while line := self._server.stdout.readline().strip():
            name, _, value = line.partition(b":")
            headers[name.lower()] = value
        message: dict[str, Any] = json.loads(self._server.stdout.read(int(headers[b"content-length"])))
        return message


def why_no_server(server: str) -> str | None:
    """Tell why *server* cannot run here, or return None."""
    if server in CHECKERS:
        return why_absent(server)
    command = SERVERS[server][0]
    return None if shutil.which(command, path=PROGRAMS) else f"{command} is not installed"
