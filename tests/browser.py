"""A browser without a window, which opens a page and says what its script found."""

import html
import json
import re
import shutil
import subprocess
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on PATH")


def result_of(address: str, *options: str, seconds: float = 60) -> Any:
    """Open a page, and when it has loaded return what is in its element with the id "result", as JSON."""
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", *options, "--dump-dom", address]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds).stdout
    [text] = re.findall(r'<pre id="result"[^>]*>(.*?)</pre>', shown, flags=re.DOTALL)
    return json.loads(html.unescape(text))
