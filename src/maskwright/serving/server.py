"""The application on a socket: bound, silent connections ended, shut down cleanly."""

import uvicorn
from fastapi import FastAPI


def serve(app: FastAPI, host: str, port: int) -> None:
    """Answer until a signal ends it; what was accepted is finished first."""
    config = uvicorn.Config(
        app, host=host, port=port, access_log=False, ws="none", server_header=False, log_level=30
    )
    uvicorn.Server(config).run()
