"""Routes of the server itself: health, metrics, signing in."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException

from maskwright import __version__
from maskwright.serving.limits import ServerLimits
from maskwright.serving.metrics import ServerMetrics
from maskwright.serving.security import COOKIE, is_authorized, same_secret, session_of


def session_routes(limits: ServerLimits, token: str | None, metrics: ServerMetrics) -> APIRouter:
    """`/health`, `/metrics`, and what a page asks before it has signed in.

    Args:
        token: Token of the server; `None` for none.
    """
    routes = APIRouter(tags=["Server"])

    @routes.get("/health")
    async def health() -> dict[str, str]:
        """Whether the server is there; open to all."""
        return {"status": "ok", "version": __version__}

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def read_metrics() -> Response:
        """Metrics, as Prometheus reads them."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/api/session")
    async def session(request: Request) -> dict[str, Any]:
        """Version and limits, and whether the page has signed in; open to all."""
        return {
            "token_needed": token is not None,
            "signed_in": token is None or is_authorized(request.headers, token),
            "version": __version__,
            "limits": {"body_bytes": limits.body_bytes, "pixels": limits.pixels},
        }

    @routes.post("/api/login", status_code=204)
    async def login(
        request: Request, given: Annotated[str, Body(alias="token", embed=True, max_length=1000)]
    ) -> Response:
        """Sign a browser in with the token of the server, by a cookie that scripts cannot read."""
        if token is not None and not same_secret(given, token):
            raise HTTPException(401, "This is not the token of this server.")
        response = Response(status_code=204)
        if token is not None:
            response.set_cookie(
                COOKIE,
                session_of(token),
                httponly=True,
                samesite="strict",
                secure=request.url.scheme == "https",
            )
        return response

    return routes
