"""The request that is worked on, as jobs and metrics know it."""

import ipaddress
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from maskwright.serving.metrics import AccessRecord


@dataclass(frozen=True)
class CurrentRequest:
    """A request; `gone` returns when its client has closed the connection."""

    record: AccessRecord
    gone: Callable[[], Coroutine[Any, Any, None]]


CURRENT: ContextVar[CurrentRequest | None] = ContextVar("current", default=None)
"""The request in whose task, or in a job of which, something runs."""


def current_client() -> str:
    """Address of the client whose request is worked on, `""` without one."""
    current = CURRENT.get()
    return "" if current is None else client_of(current.record.peer)


def client_of(peer: str) -> str:
    """Address by which a client is known: the network, of IPv6, in which one has many addresses."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if address.version == 4 or address.ipv4_mapped:  # the latter where a server listens to both
        return str(getattr(address, "ipv4_mapped", None) or address)
    return str(ipaddress.ip_network((address, 64), False))
