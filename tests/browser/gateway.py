"""A gateway as `make run` starts it, with people in it, for browsers: a process and a data folder of its own."""

import fcntl
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.arkroute.conftest import ROOT, SECRET_KEY, Running, clean_environment, find_free_port

PASSWORD = "correct-horse-battery"
# allauth asks again after five minutes.
FRESH_SECONDS = 200
# Nobody listens there: what the engine's models answer is tested elsewhere, with real ones.
NO_ENGINE = "http://127.0.0.1:9"
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]+)"')
SECRET = re.compile(r"ark-\w{40}")


@dataclass
class Gateway:
    """`paths` are those of pages that only the seed knows, such as a receipt's; `codes` recovery codes of `guarded`."""

    url: str
    paths: dict[str, str]
    codes: list[str]
    _sessions: dict[str, tuple[float, str]] = field(default_factory=dict)

    def session(self, name: str) -> str:
        """The cookie of a session of `full`, `empty` or `guarded` that is not asked for the password again."""
        begun, cookie = self._sessions.get(name, (0.0, ""))
        if time.monotonic() - begun > FRESH_SECONDS or not cookie:
            self._sessions[name] = (time.monotonic(), cookie := self._sign_in(f"{name}@example.com"))
        return cookie

    def sign_up(self, email: str) -> str:
        """The cookie of somebody new."""
        with httpx.Client(base_url=self.url) as client:
            post(client, "/accounts/signup/", email=email, password1=PASSWORD)
            return client.cookies["sessionid"]

    def make_key(self, session: str) -> str:
        """A key without limits of whom the session belongs to."""
        with httpx.Client(base_url=self.url, cookies={"sessionid": session}) as client:
            form = client.get("/keys/new/").raise_for_status().text
            hidden = dict(HIDDEN.findall(form))
            answer = client.post("/keys/new/", data={**hidden, "name": "Test", "expiry": "never"}).raise_for_status()
            secret = SECRET.search(answer.text)
            assert secret, answer.text
            return secret[0]

    def _sign_in(self, email: str) -> str:
        with httpx.Client(base_url=self.url) as client:
            answer = post(client, "/accounts/login/", login=email, password=PASSWORD)
            if answer.headers["location"] == "/accounts/2fa/authenticate/":
                post(client, "/accounts/2fa/authenticate/", code=self.codes.pop())
            post(client, "/accounts/reauthenticate/", password=PASSWORD)
            return client.cookies["sessionid"]


def post(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Sends a page's form, which must be taken: it answers with a redirect."""
    hidden = dict(HIDDEN.findall(client.get(path).raise_for_status().text))
    answer = client.post(path, data={**hidden, **fields})
    assert answer.status_code == 302, answer.text
    return answer


@contextmanager
def serve_seeded(
    seeded: Path, folder: Path, port: int = 0, *, debug: bool = True, settings: dict[str, str] | None = None
) -> Iterator[Gateway]:
    """Serves a copy of what `seed` has made, as development does: with stand-ins, and jobs in the same process.

    Without `debug` as production does, where errors have pages of their own. `settings` are more of its environment.
    """
    data = folder / "data"
    shutil.copytree(seeded, data)
    port = port or find_free_port()
    told: dict[str, Any] = json.loads((data / "seed.json").read_text())
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    of_production = {"DEBUG": "off", "ALLOWED_HOSTS": "127.0.0.1", "PUBLIC_URL": f"http://127.0.0.1:{port}"}
    environment = environment_of(data) | ({} if debug else of_production) | (settings or {})
    running = Running(command, environment, port, folder / "output")
    try:
        running.wait_until(lambda: f"ArkRoute is ready on {running.url}" in running.output)
        yield Gateway(running.url, told["paths"], told["codes"])
    finally:
        running.kill()


def seed(folder: Path) -> Path:
    """A data folder with people in it. Test processes share it: the first one makes it, the others wait."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        data = folder / "data"
        if not (data / "seed.json").exists():
            command = [sys.executable, "-m", "tests.browser.seed", str(data / "seed.json")]
            done = subprocess.run(command, cwd=ROOT, env=environment_of(data), capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        return data


def environment_of(data: Path) -> dict[str, str]:
    return clean_environment(data) | {
        "DEBUG": "on",
        "SECRET_KEY": SECRET_KEY,
        "LOG_LEVEL": "WARNING",
        "ENGINE_URL": NO_ENGINE,
    }


def account_of(gateway: Gateway, key: str) -> Any:
    """What the API says of a key's account, or the code of its refusal."""
    answer = httpx.get(f"{gateway.url}/v1/account", headers={"authorization": f"Bearer {key}"})
    body = answer.json()
    return body if answer.is_success else body["error"]["code"]
