"""One connection to a server: sends a body, gives back parsed JSON, and says what went wrong in the words of the table."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import evalharness as eh
from evalharness_openai import faults, waiting
from evalharness_openai.secrets import Secret


class Refused(Exception):
    """A fault of the table: its key, what the server said, and the seconds to wait where it names them."""

    def __init__(self, key: str, said: faults.Said, *, status: int = 0, after: float | None = None) -> None:
        super().__init__(key)
        self.key, self.said, self.status, self.after = key, said, status, after


@dataclass
class Connection:
    """What all requests to one server share.

    `hold` is told for how long the server takes no more requests. `learned` holds what its answers taught about it, so that
    it is found out once: the name of a field, a way of asking.
    """

    url: str
    model: str
    secret: Secret
    proxy: str | None
    hold: Callable[[float], None]
    session: Any = None
    has_answered: bool = False
    learned: dict[str, str] = field(default_factory=dict)
    learning: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a body to a path under the base URL, or under its root where the path begins with a slash.

        Returns the parsed answer; raises Refused for every fault of the table.
        """
        address = f"{self.url}/{path}" if path[:1] != "/" else f"{self.url.removesuffix('/v1')}{path}"
        status, headers, text = await self._sent(address, json.dumps(body).encode())
        if status != 200:
            said = faults.said(text)
            raise Refused(faults.fault_of(status, said), said, status=status, after=waiting.retry_after(headers))
        wait = waiting.used_up(headers)
        if wait:
            self.hold(wait)
        parsed = _parsed(text)
        self.has_answered = True
        return parsed

    async def _sent(self, address: str, body: bytes) -> tuple[int, Mapping[str, str], str]:
        """Return status, headers and text of an answer, without the key wherever the server put it."""
        import aiohttp

        try:
            async with self.session.post(address, data=body, proxy=self.proxy, allow_redirects=False) as answer:
                raw = await _read(answer)
                text = raw.decode("utf-8", "strict" if answer.status == 200 else "replace")
                return answer.status, answer.headers, self.secret.hide(text)
        except UnicodeDecodeError as error:
            raise Refused("malformed", _told(error)) from None
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise Refused("certificate", _told(error)) from None
        except aiohttp.ClientConnectorError as error:
            raise Refused("refused", _told(error.os_error)) from None
        except aiohttp.ServerTimeoutError as error:  # in connecting: nothing else of a session has a limit
            raise Refused("refused", _told(error)) from None
        except TimeoutError as error:
            raise Refused("timeout", _told(error)) from None
        except (aiohttp.ClientConnectionError, ConnectionError) as error:
            raise Refused("reset", _told(error)) from None
        except aiohttp.ClientError as error:
            raise Refused("malformed", _told(error)) from None

    def outcome(self, refused: Refused) -> eh.Unanswered | eh.ServiceError:
        """Return what is raised for a fault: Unanswered for one request, ServiceError where none can be answered."""
        alone = refused.key in faults.OF_ONE_REQUEST and self.has_answered
        fault = faults.FAULTS["alone" if alone else refused.key]
        said = self.secret.hide_alike(refused.said.message)
        todo = self._filled(fault.todo, faults.field_of(refused.said))
        message = fault.message(refused.status, said.rstrip(".")) + (f". What to do: {todo}" if todo else "")
        if fault.outcome == "stop":
            return eh.ServiceError(f"model '{self.model}' at {self.url}: {message}. Answers so far are kept")
        retry = fault.outcome == "retry"
        return eh.Unanswered(eh.Failure(fault.kind, message), again=retry, after=refused.after, busy=fault.busy)

    def _filled(self, todo: str, name: str) -> str:
        if todo and not self.secret.value and "KEY" in todo:
            todo = f"{todo} (KEY is not set)"
        for place, value in {"KEY": self.secret.name, "MODEL": f"'{self.model}'", "URL": self.url, "FIELD": name}.items():
            todo = todo.replace(place, value)
        return todo


async def _read(answer: Any) -> bytes:
    """Return the body of an answer that has begun."""
    import aiohttp

    try:
        raw: bytes = await answer.read()
    except TimeoutError:
        raise
    except (aiohttp.ClientError, ConnectionError) as error:
        raise Refused("broken", _told(error)) from None
    return raw


def _told(error: BaseException) -> faults.Said:
    return faults.Said(f"{type(error).__name__}: {error}")


def _parsed(text: str) -> dict[str, Any]:
    """Return the JSON of an answer with status 200; raises Refused where it is none, or an error in disguise."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(_kind_of_nonsense(text), faults.Said(f"{error}; it begins with {text[:60]!r}")) from None
    if not isinstance(body, dict):
        raise Refused("malformed", faults.Said(f"{text[:60]!r}"))
    if body.get("error"):
        told = faults.of_body(body)
        raise Refused(faults.fault_of(_status_of(body["error"]), told), told)
    return body


def _kind_of_nonsense(text: str) -> str:
    start = text.lstrip()[:1]
    if start == "<":
        return "html"
    return "truncated" if start in ("{", "[") and text.rstrip()[-1:] not in ("}", "]") else "malformed"


def _status_of(error: Any) -> int:
    """Return the status that an error in a body with status 200 names itself, or 200."""
    code = error.get("code", error.get("status")) if isinstance(error, Mapping) else None
    return int(code) if isinstance(code, int | str) and str(code).isdigit() and 400 <= int(code) < 600 else 200


def is_this_machine(host: str) -> bool:
    """Return whether a host name or address is this machine's own.

    >>> is_this_machine("localhost"), is_this_machine("127.0.0.1"), is_this_machine("::1"), is_this_machine("api.openai.com")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for a URL; none for this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_this_machine(host) or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)
