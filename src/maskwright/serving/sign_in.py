"""Who may ask: who brings the token of the server, or the cookie of a browser with it."""

import hashlib
import hmac
import math
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from maskwright.errors import ConfigError
from maskwright.serving.current import current_client

COOKIE = "maskwright"
"""Name of the cookie of a browser that has signed in."""

_SHORTEST = 16  # characters of a token
_LEAST_DIFFERENT = 6  # characters of a token
_FREE_GUESSES = 5
_LONGEST_WAIT_S = 300
_FORGOTTEN_S = 1800.0
_MOST_CLIENTS = 10_000  # whose wrong tokens are counted


def check_token(token: str) -> None:
    """Raise `ConfigError` for a token that could be guessed."""
    short = len(token) < _SHORTEST or len(set(token)) < _LEAST_DIFFERENT
    if short or not (token.isascii() and token.isprintable()):
        raise ConfigError(
            f"Expected a token of at least {_SHORTEST} plain characters, {_LEAST_DIFFERENT} of "
            f"them different; make one with: "
            f'python -c "import secrets; print(secrets.token_urlsafe())"'
        )


@dataclass
class _Guesses:
    """Wrong tokens of a client; `last` is the digest of the latest, which may be sent again."""

    number: int = 0
    last: bytes = b""
    at: float = 0.0
    free_at: float = 0.0


class SignIn:
    """Checks requests for a token; `None` accepts all.

    After some wrong tokens no other of the same client is looked at for a time, which doubles.
    """

    def __init__(self, token: str | None) -> None:
        self.token = token
        # Not made of the token, which could then be guessed by cookies.
        self.session = secrets.token_urlsafe(32)
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()

    def check(self, request: HTTPConnection) -> None:
        """Raise `HTTPException` for a request that brings neither token nor cookie."""
        if self.token is None or _same(request.cookies.get(COOKIE, ""), self.session):
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise _unauthorized(
                "Expected the token of this server, as `Authorization: Bearer TOKEN`."
            )
        self.check_token(given.strip())

    def accepts(self, request: HTTPConnection) -> bool:
        """Whether a request brings the token or the cookie."""
        try:
            self.check(request)
        except HTTPException:
            return False
        return True

    def check_token(self, given: str) -> None:
        """Raise `HTTPException` for a wrong token, or one that is not looked at."""
        client, now = current_client(), monotonic()
        guesses = self._guesses.get(client)
        if guesses is None or now - guesses.at > _FORGOTTEN_S:
            guesses = _Guesses()
        if now < guesses.free_at:
            wait = math.ceil(guesses.free_at - now)
            raise HTTPException(
                429,
                f"Too many wrong tokens came from this address; try again in {wait} seconds.",
                {"retry-after": str(wait)},
            )
        if self.token is None or _same(given, self.token):
            self._guesses.pop(client, None)
            return
        digest = hashlib.sha256(given.encode(errors="replace")).digest()
        if digest != guesses.last:
            guesses.number, guesses.last, guesses.at = guesses.number + 1, digest, now
            over = min(guesses.number - _FREE_GUESSES, 30)
            guesses.free_at = now + (min(2.0**over, _LONGEST_WAIT_S) if over >= 0 else 0.0)
        self._guesses[client] = guesses
        self._guesses.move_to_end(client)
        if len(self._guesses) > _MOST_CLIENTS:
            self._guesses.popitem(last=False)
        raise _unauthorized("This is not the token of this server.")


def _unauthorized(message: str) -> HTTPException:
    return HTTPException(401, message, {"www-authenticate": "Bearer"})


def _same(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())
