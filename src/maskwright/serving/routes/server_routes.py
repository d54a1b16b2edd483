"""Routes of the server itself: its health, its metrics, its description, and signing in."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from maskwright import __version__
from maskwright.serving.limits import ServerLimits
from maskwright.serving.metrics import ServerMetrics
from maskwright.serving.sign_in import COOKIE, SignIn

PAGE = Path(__file__).parents[1] / "page"
"""Folder of the page."""


def server_routes(
    limits: ServerLimits,
    sign_in: SignIn,
    metrics: ServerMetrics,
    is_stuck: Callable[[], bool],
) -> APIRouter:
    """`/health`, `/metrics`, `/docs`, and what a page asks before it has signed in."""
    routes = APIRouter(tags=["Server"])

    @routes.head("/health", include_in_schema=False)
    @routes.get("/health")
    async def health() -> Response:
        """Whether the server answers, 503 if its work does not come to an end; open to all."""
        stuck = is_stuck()
        content = {"status": "stuck" if stuck else "ok", "version": __version__}
        return JSONResponse(content, 503 if stuck else 200)

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def read_metrics() -> Response:
        """Metrics, as Prometheus reads them."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(PAGE / "docs.html")

    @routes.get("/api/session")
    async def session(request: Request) -> dict[str, Any]:
        """Version and limits, and whether the page has signed in; open to all."""
        return {
            "token_needed": sign_in.token is not None,
            "signed_in": sign_in.accepts(request),
            "version": __version__,
            "limits": {"body_bytes": limits.body_bytes, "pixels": limits.pixels},
        }

    @routes.post("/api/login", status_code=204)
    async def login(
        request: Request, given: Annotated[str, Body(alias="token", embed=True, max_length=1000)]
    ) -> Response:
        """Sign a browser in with the token of the server, by a cookie that scripts cannot read."""
        sign_in.check_token(given)
        response = Response(status_code=204)
        if sign_in.token is not None:
            secure = request.url.scheme == "https" or (limits.public_url or "").startswith("https:")
            response.set_cookie(
                COOKIE, sign_in.session, httponly=True, samesite="strict", secure=secure
            )
        return response

    return routes
