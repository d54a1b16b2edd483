"""The token of a server, and the cookie of a browser that brought it once."""

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers

COOKIE = "maskwright"
"""Name of the cookie of a browser that has signed in."""


def session_of(token: str) -> str:
    """Value of the cookie for a token, which cannot be read from it."""
    return hmac.new(token.encode(), b"maskwright session", hashlib.sha256).hexdigest()


def is_authorized(headers: Headers, token: str) -> bool:
    """Whether a request brings the token, or the cookie made of it."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and same_secret(given.strip(), token):
        return True
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        return False
    return COOKIE in cookies and same_secret(cookies[COOKIE].value, session_of(token))


def same_secret(given: str, expected: str) -> bool:
    """Whether two secrets are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())
