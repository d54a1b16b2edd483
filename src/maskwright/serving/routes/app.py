"""The application: every route, behind one guard."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from maskwright import __version__
from maskwright.errors import ConfigError, DataError, MaskwrightError, TooLargeError
from maskwright.serving.jobs.job_queue import BusyError, Desk
from maskwright.serving.jobs.models import Models
from maskwright.serving.limits import DeadlineExceededError, Limits
from maskwright.serving.metrics import CONTENT_TYPE, Measured
from maskwright.serving.routes.inference_v2 import inference_routes
from maskwright.serving.routes.page_routes import workbench_routes
from maskwright.serving.routes.predict import predict_routes
from maskwright.serving.routes.runs import run_routes
from maskwright.serving.security import (
    COOKIE,
    LOOPBACK,
    AccessRecord,
    Guard,
    knows_token,
    problem,
    refusals,
    refuse_reason,
    same,
    session_of,
    write_line,
)
from maskwright.serving.store.image_store import Images
from maskwright.serving.store.training_export import TrainingSetWriter
from maskwright.serving.store.upload import EvictedError

PAGE = Path(__file__).parents[1] / "page"
"""Folder of the page."""

_LOOKED_S = 5.0  # between looks for models of runs that have finished


def create_app(
    models: Models,
    limits: Limits | None = None,
    *,
    token: str | None = None,
    hosts: Iterable[str] | None = LOOPBACK,
    keep: Path | None = None,
    on_message: Callable[[AccessRecord], None] = write_line,
) -> FastAPI:
    """The application of a server.

    Args:
        models: What answers.
        limits: Of bodies, images, queue and time.
        token: That whoever asks must know; `None` for nobody.
        hosts: What the header `Host` may name; `None` for anything.
        keep: Folder for what is kept for training; `None` keeps nothing.
        on_message: Called with what became of every request.
    """
    limits = limits or Limits()
    measured = Measured()
    desk = Desk(limits)
    images = Images(limits)
    measured.watch(lambda: desk.taken)
    models.counted = measured.count_batch

    def told(request: AccessRecord) -> None:
        measured.count(request)
        on_message(request)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(_open_finished(models))
        yield
        looking.cancel()
        await asyncio.to_thread(images.close)
        desk.close()

    app = FastAPI(
        title="Maskwright",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=running,
        responses=refusals(),
    )
    app.include_router(predict_routes(models, desk, limits))
    app.include_router(inference_routes(models, desk, limits))
    app.include_router(_session_routes(limits, token, measured))
    keeper = None if keep is None else TrainingSetWriter(keep)
    app.include_router(workbench_routes(models, desk, limits, images, keeper))
    ending = threading.Event()
    app.include_router(run_routes(models, ending.is_set))
    _page(app)

    def end() -> None:
        ending.set()
        images.stop()

    app.state.end = end  # answers who waits, so that a shutdown need not wait for them
    for kind in (HTTPException, RequestValidationError, MaskwrightError):
        app.add_exception_handler(kind, _answer_error)
    app.add_middleware(
        Guard, limits=limits, token=token, hosts=hosts, public=_public_files(), on_message=told
    )
    return app


async def _open_finished(models: Models) -> None:
    """Open the models of runs as they finish."""
    while True:
        await asyncio.sleep(_LOOKED_S)
        try:
            await asyncio.to_thread(models.open_new)
        except (MaskwrightError, OSError) as error:
            models.on_message(str(error))


def _session_routes(limits: Limits, token: str | None, measured: Measured) -> APIRouter:
    routes = APIRouter(tags=["Server"])

    @routes.get("/health")
    async def health() -> dict[str, str]:
        """Whether the server is there; open to all."""
        return {"status": "ok", "version": __version__}

    @routes.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Counts, as Prometheus reads them."""
        return Response(measured.text(), media_type=CONTENT_TYPE)

    @routes.get("/api/session")
    async def session(request: Request) -> dict[str, Any]:
        """What a page must know before anything else; open to all."""
        return {
            "token_needed": token is not None,
            "signed_in": token is None or knows_token(request.headers, token),
            "version": __version__,
            "limits": {"body_bytes": limits.body_bytes, "pixels": limits.pixels},
        }

    @routes.post("/api/login", status_code=204)
    async def login(
        request: Request, given: Annotated[str, Body(alias="token", embed=True, max_length=1000)]
    ) -> Response:
        """Sign a browser in with the token of the server, by a cookie that scripts cannot read."""
        if token is not None and not same(given, token):
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


def _page(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(PAGE / "docs.html")

    app.mount("/", StaticFiles(directory=PAGE, html=True))


def _public_files() -> frozenset[str]:
    """Paths of the files of the page, which hold no secrets."""
    files = (path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*") if path.is_file())
    return frozenset({"/", "/docs", *(f"/{name}" for name in files)})


async def _answer_error(request: Request, error: Exception) -> Response:
    status, sentence, headers = _as_answer(error)
    refuse_reason(request.scope, sentence if status < 500 else str(error))
    return JSONResponse(problem(request.url.path, sentence), status, headers)


def _as_answer(error: Exception) -> tuple[int, str, dict[str, str]]:
    """Status, sentence and headers of the answer to an error."""
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail), dict(error.headers or {})
    if isinstance(error, RequestValidationError):
        return 422, _first(error), {}
    if isinstance(error, BusyError):
        return 503, str(error), {"retry-after": str(error.retry_after)}
    if isinstance(error, EvictedError):
        return 404, str(error), {}
    if isinstance(error, DeadlineExceededError):
        return 504, str(error), {}
    if isinstance(error, TooLargeError):
        return 413, str(error), {}
    if isinstance(error, DataError | ConfigError):
        return 422, str(error), {}
    return 500, "The model cannot be used; the log of the server names why.", {}


def _first(error: RequestValidationError) -> str:
    """The first thing that is wrong with a request, as a sentence."""
    first = error.errors()[0]
    *_, name = first["loc"]
    return f"`{name}` of the request cannot be used: {first['msg']}."
