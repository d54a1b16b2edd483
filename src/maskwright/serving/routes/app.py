"""The application: all routes behind the checks of `security`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from maskwright import __version__
from maskwright.errors import ConfigError, DataError, MaskwrightError, TooLargeError
from maskwright.serving.jobs.job_queue import BusyError, ClientGoneError, JobQueue
from maskwright.serving.jobs.model_registry import ModelRegistry
from maskwright.serving.limits import DeadlineExceededError, ServerLimits
from maskwright.serving.metrics import ACCESS_RECORD, AccessRecord, ServerMetrics, write_record
from maskwright.serving.problems import DISK_FULL, is_disk_full, problem
from maskwright.serving.routes.audit_routes import audit_routes
from maskwright.serving.routes.downloads import download_routes
from maskwright.serving.routes.inference_v2 import inference_routes
from maskwright.serving.routes.page_routes import page_routes
from maskwright.serving.routes.predict import predict_routes
from maskwright.serving.routes.requests import check_names, refusals
from maskwright.serving.routes.runs import run_routes
from maskwright.serving.routes.server_routes import PAGE, server_routes
from maskwright.serving.security import LOOPBACK, SecurityMiddleware
from maskwright.serving.sign_in import SignIn
from maskwright.serving.store.edited_mask import StaleError
from maskwright.serving.store.image_store import ImageStore, StoreFullError
from maskwright.serving.store.label_findings import LabelFindings
from maskwright.serving.store.temporary import mark_process_folder
from maskwright.serving.store.training_export import KeptError
from maskwright.serving.store.training_set import recover_training_sets
from maskwright.serving.store.upload import EvictedError, NotDoneError

_LOOK_S = 5.0  # between looks for models of runs that have finished
_PROBLEMS: dict[type[Exception], tuple[int, str]] = {
    BusyError: (503, "busy"),
    ClientGoneError: (499, "client_gone"),
    EvictedError: (404, "image_gone"),
    NotDoneError: (409, "not_done"),
    StaleError: (409, "stale"),
    KeptError: (409, "kept_already"),
    StoreFullError: (507, "store_full"),
    DeadlineExceededError: (504, "too_slow"),
    TooLargeError: (413, "image_too_large"),
    DataError: (422, "invalid_data"),
    ConfigError: (422, "invalid_setting"),
    MaskwrightError: (500, "internal"),
}


def create_app(
    models: ModelRegistry,
    limits: ServerLimits | None = None,
    *,
    token: str | None = None,
    hosts: Iterable[str] | None = LOOPBACK,
    keep: Path | None = None,
    audit: LabelFindings | None = None,
    on_record: Callable[[AccessRecord], None] = write_record,
) -> FastAPI:
    """Create the application of a server.

    Args:
        token: Token that every request must bring; `None` for none.
        hosts: Allowed values of the header `Host`; `None` for any.
        keep: Folder for images stored for training; `None` stores none.
        audit: Masks of a data set that the page offers to correct.
    """
    limits = limits or ServerLimits()
    metrics = ServerMetrics()
    queue = JobQueue(limits)
    images = ImageStore(limits, queue.decoders)
    mark_process_folder()
    if keep is not None:
        recover_training_sets(keep)
    sign_in = SignIn(token)
    metrics.queue.set_function(lambda: queue.pool.pending)
    models.on_batch = lambda name, images: metrics.batch.labels(name).observe(images)

    def is_stuck() -> bool:
        return queue.pool.is_stuck or images.is_stuck or not queue.decoders.works

    def end() -> None:
        images.stop()  # answers who waits, so that a shutdown need not wait for them
        queue.end()

    def record(request: AccessRecord) -> None:
        metrics.count(request)
        on_record(request)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        beside = [
            asyncio.create_task(_open_finished(models)),
            asyncio.create_task(asyncio.to_thread(queue.decoders.warm_up)),
        ]
        yield
        for task in beside:
            task.cancel()
        await asyncio.to_thread(queue.close)
        await asyncio.to_thread(images.close)

    app = FastAPI(
        title="Maskwright",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        responses=refusals(),
        dependencies=[
            Depends(check_names),
            *([] if token is None else [Depends(HTTPBearer(auto_error=False))]),
        ],
    )
    for routes in (
        predict_routes(models, queue),
        inference_routes(models, queue, is_stuck),
        server_routes(limits, sign_in, metrics, is_stuck),
        page_routes(models, queue, images, keep),
        audit_routes(audit, models, queue, images),
        download_routes(images, queue),
        run_routes(models, lambda: images.closed),
    ):
        app.include_router(routes)

    # Not mounted at "/", which would hide that a route exists for another method.
    app.router.default = _PageFiles(directory=PAGE, html=True)
    app.state.end = end
    for error in (HTTPException, RequestValidationError, MaskwrightError, OSError):
        app.add_exception_handler(error, _answer_error)
    # Neither the page nor its files nor the description of the routes hold secrets.
    files = {path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*") if path.is_file()}
    public = frozenset({"/", "/docs", "/openapi.json"} | {f"/{name}" for name in files})
    app.add_middleware(SecurityMiddleware, limits, sign_in, hosts, public, record)
    return app


class _PageFiles(StaticFiles):
    """The files of the page; other addresses are 404, whatever the method."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD") and self.lookup_path(path)[1] is None:
            raise HTTPException(404, "Not Found")
        return await super().get_response(path, scope)


async def _open_finished(models: ModelRegistry) -> None:
    """Open the models of runs as they finish."""
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            await asyncio.to_thread(models.open_new)
        except (MaskwrightError, OSError) as error:
            models.on_message(str(error))


async def _answer_error(request: Request, error: Exception) -> Response:
    message, headers, code = str(error), None, None
    if is_disk_full(error):
        status, message = 507, DISK_FULL
    elif isinstance(error, HTTPException):
        status, message, headers = error.status_code, str(error.detail), error.headers
    elif isinstance(error, RequestValidationError):
        first = error.errors()[0]
        message = f"`{first['loc'][-1]}` of the request cannot be used: {first['msg']}."
        status = 422
    elif isinstance(error, MaskwrightError):
        status, code = next(_PROBLEMS[kind] for kind in type(error).__mro__ if kind in _PROBLEMS)
    else:
        raise error
    if isinstance(error, BusyError):
        headers = {"retry-after": str(error.retry_after)}
    request.scope[ACCESS_RECORD].reason = message
    if status == 500:
        message = "The model cannot be used; the log of the server names the reason."
    return JSONResponse(problem(request.url.path, message, status, code), status, headers)
