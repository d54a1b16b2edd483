"""What tests of the page share: a server that answers while it is looked at, and windows."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 800, "height": 1000}
# Addresses of servers that have stopped: a page that is still open may ask for them once more.
STOPPED: set[str] = set()


@contextmanager
def served(app) -> Iterator[str]:
    """Address of an application that answers."""
    from maskwright.serving import ServerLimits, bind, run_in_thread

    with run_in_thread(app, bind("127.0.0.1", 0), ServerLimits()) as port:
        address = f"http://127.0.0.1:{port}/"
        STOPPED.discard(address)
        yield address
    STOPPED.add(address)


class Injected:
    """An application whose answers come late, get lost, or fail; by `METHOD part` of their path."""

    def __init__(self, app):
        self.app, self.state = app, app.state
        self.late: dict[str, float] = {}
        self.failing: set[str] = set()
        self.lost: set[str] = set()  # done, but the first answer does not arrive

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = f"{scope['method']} {scope['path']}"

        def is_meant(rule):
            method, _, part = rule.partition(" ")
            return asked.startswith(method) and part in asked

        await asyncio.sleep(max([s for rule, s in self.late.items() if is_meant(rule)], default=0))
        if lost := {rule for rule in self.lost if is_meant(rule)}:
            self.lost -= lost
            await self.app(scope, receive, _drop)
        elif not any(map(is_meant, self.failing)):
            await self.app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json")]
        await send(
            {"type": "http.response.start", "status": 503 if lost else 500, "headers": headers}
        )
        body = json.dumps({"detail": "The disk has failed."}).encode()
        await send({"type": "http.response.body", "body": body})


async def _drop(_):
    """Take a part of an answer."""
