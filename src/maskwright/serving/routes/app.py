"""The application: all routes, those of the server itself too, behind the checks of `security`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from maskwright import __version__
from maskwright.errors import ConfigError, DataError, MaskwrightError, TooLargeError
from maskwright.serving.jobs.job_queue import BusyError, JobQueue
from maskwright.serving.jobs.model_registry import ModelRegistry
from maskwright.serving.limits import DeadlineExceededError, ServerLimits
from maskwright.serving.metrics import ACCESS_RECORD, AccessRecord, ServerMetrics, write_record
from maskwright.serving.routes.downloads import download_routes
from maskwright.serving.routes.inference_v2 import inference_routes
from maskwright.serving.routes.page_routes import page_routes
from maskwright.serving.routes.predict import predict_routes
from maskwright.serving.routes.requests import refusals
from maskwright.serving.routes.runs import run_routes
from maskwright.serving.security import (
    COOKIE,
    LOOPBACK,
    SecurityMiddleware,
    is_authorized,
    problem,
    same_secret,
    session_of,
)
from maskwright.serving.store.edited_mask import StaleError
from maskwright.serving.store.image_store import ImageStore, StoreFullError
from maskwright.serving.store.training_export import KeptError
from maskwright.serving.store.upload import EvictedError, NotDoneError

PAGE = Path(__file__).parents[1] / "page"
"""Folder of the page."""

_LOOK_S = 5.0  # between looks for models of runs that have finished
_STATUS: dict[type[Exception], int] = {
    BusyError: 503,
    EvictedError: 404,
    NotDoneError: 409,
    StaleError: 409,
    KeptError: 409,
    StoreFullError: 507,
    DeadlineExceededError: 504,
    TooLargeError: 413,
    DataError: 422,
    ConfigError: 422,
    MaskwrightError: 500,
}


def create_app(
    models: ModelRegistry,
    limits: ServerLimits | None = None,
    *,
    token: str | None = None,
    hosts: Iterable[str] | None = LOOPBACK,
    keep: Path | None = None,
    on_record: Callable[[AccessRecord], None] = write_record,
) -> FastAPI:
    """Create the application of a server.

    Args:
        token: Token that every request must bring; `None` for none.
        hosts: Allowed values of the header `Host`; `None` for any.
        keep: Folder for images stored for training; `None` stores none.
    """
    limits = limits or ServerLimits()
    metrics = ServerMetrics()
    queue = JobQueue(limits)
    images = ImageStore(limits)
    metrics.queue.set_function(lambda: queue.pending)
    models.on_batch = metrics.batch.observe

    def record(request: AccessRecord) -> None:
        metrics.count(request)
        on_record(request)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(_open_finished(models))
        yield
        looking.cancel()
        await asyncio.to_thread(images.close)
        queue.close()

    app = FastAPI(
        title="Maskwright",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses=refusals(),
    )
    for routes in (
        predict_routes(models, queue),
        inference_routes(models, queue),
        _server_routes(limits, token, metrics),
        page_routes(models, queue, images, keep),
        download_routes(images, queue),
        run_routes(models, lambda: images.closed),
    ):
        app.include_router(routes)

    app.mount("/", StaticFiles(directory=PAGE, html=True))
    app.state.end = images.stop  # answers who waits, so that a shutdown need not wait for them
    for error in (HTTPException, RequestValidationError, MaskwrightError):
        app.add_exception_handler(error, _answer_error)
    # Neither the page nor its files hold secrets.
    files = {path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*") if path.is_file()}
    public = frozenset({"/", "/docs"} | {f"/{name}" for name in files})
    app.add_middleware(SecurityMiddleware, limits, token, hosts, public, record)
    return app


def _server_routes(limits: ServerLimits, token: str | None, metrics: ServerMetrics) -> APIRouter:
    """`/health`, `/metrics`, `/docs`, and what a page asks before it has signed in."""
    routes = APIRouter(tags=["Server"])

    @routes.get("/health")
    async def health() -> dict[str, str]:
        """Whether the server is there; open to all."""
        return {"status": "ok", "version": __version__}

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
            "token_needed": token is not None,
            "signed_in": token is None or is_authorized(request, token),
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


async def _open_finished(models: ModelRegistry) -> None:
    """Open the models of runs as they finish."""
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            await asyncio.to_thread(models.open_new)
        except (MaskwrightError, OSError) as error:
            models.on_message(str(error))


async def _answer_error(request: Request, error: Exception) -> Response:
    message, headers = str(error), None
    if isinstance(error, HTTPException):
        status, message, headers = error.status_code, str(error.detail), error.headers
    elif isinstance(error, RequestValidationError):
        first = error.errors()[0]
        message = f"`{first['loc'][-1]}` of the request cannot be used: {first['msg']}."
        status = 422
    else:
        status = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
    if isinstance(error, BusyError):
        headers = {"retry-after": str(error.retry_after)}
    request.scope[ACCESS_RECORD].reason = message
    if status == 500:
        message = "The model cannot be used; the log of the server names the reason."
    return JSONResponse(problem(request.url.path, message), status, headers)
