"""Where a service is and what it is told of who asks, without a key in anything that is written down."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import evalharness as eh
from evalharness_pipelines.secrets import NAMED

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
SECRET_FIELD = re.compile(r"(api|access|auth|secret)[_-]?(key|token)|password|authorization|secret", re.IGNORECASE)


def url_fault(url: str) -> str:
    """Return what is wrong with a URL, without showing what may be a password in it, or ""."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "'url' is no URL: write it as http://HOST:PORT/PATH"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "'url' must begin with http:// or https:// and name a host, for example http://127.0.0.1:8000/ask"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "'url' must hold no user, password, query or fragment: use 'headers' with ${NAME} for a key, and 'query'"
    return ""


def headers_fault(headers: Mapping[str, Any]) -> str:
    """Return what is wrong with headers, or ""; a key that is written out is."""
    for name, value in headers.items():
        if not HEADER.fullmatch(name) or not isinstance(value, str) or not value.isprintable():
            return f"the header '{name}' must be a name with a text as its value"
        if (NAMED.search(name) or "cookie" in name.lower()) and not VARIABLE.search(value):
            return f"the header '{name}' would stand in records with its value: write ${{NAME}} and put that into the environment"
    return ""


def secret_fault(sent: Mapping[str, Any]) -> str:
    """Return that a key is sent where it would be written down, or ""."""
    written = [name for name, value in sent.items() if isinstance(value, str) and "{{" not in value]
    named = next(filter(SECRET_FIELD.fullmatch, written), None)
    return "" if named is None else f"'{named}' would stand in records: send a key as a header, ${{NAME}} from the environment"


def from_environment(headers: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return headers with the values of the environment, and these values by name; raises ServiceError for one not set."""
    values: dict[str, str] = {}
    for header, text in headers.items():
        for name in VARIABLE.findall(text):
            values[name] = os.environ.get(name, "").strip()
            if not values[name]:
                raise eh.ServiceError(f"the header '{header}' needs the environment variable {name}; set it: export {name}=...")
            if not (values[name].isascii() and values[name].isprintable()):
                raise eh.ServiceError(f"the value of {name} holds characters that no header may have: a line break, or no ASCII")
    return {header: VARIABLE.sub(lambda found: values[found[1]], text) for header, text in headers.items()}, values


def is_this_machine(host: str) -> bool:
    """Return whether a host is this machine.

    >>> is_this_machine("localhost"), is_this_machine("127.0.0.1"), is_this_machine("example.org")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
