"""Start a server from the names of its models: `maskwright serve`, and the same from Python."""

from collections.abc import Callable, Sequence
from pathlib import Path

from maskwright.errors import ConfigError
from maskwright.serving.jobs.model_registry import open_models
from maskwright.serving.limits import ServerLimits
from maskwright.serving.routes.app import create_app
from maskwright.serving.security import LOOPBACK
from maskwright.serving.server import bind, is_loopback, run_until_signal

_SHORTEST_TOKEN = 16  # characters


def serve(
    models: str | Path | Sequence[str | Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    keep: str | Path | None = None,
    limits: ServerLimits | None = None,
    on_message: Callable[[str], None] = print,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve models over HTTP, with a page and routes for programs, until SIGINT or SIGTERM.

    Args:
        models: One or several, as `open_models` takes them.
        host: Address to listen at; any but a loopback address needs a token.
        port: Port to listen at; 0 takes a free one.
        token: Token that every request must bring, at least 16 ASCII characters; `None` for none.
        keep: Folder for images that the page stores for training. `None` means `kept` on a
            loopback address; on others nothing is stored.
        limits: Limits of bodies, images, queue and time.
        on_message: Called with what is done to open the models, and the address.
        ready: Called with the address when the first request can come.

    Raises:
        ConfigError: If the address is not available or not safe, or two models have one name.
        ModelError: If a model cannot be opened.
    """
    limits = limits or ServerLimits()
    loopback = is_loopback(host)
    if token is not None and (len(token) < _SHORTEST_TOKEN or not token.isascii()):
        raise ConfigError(
            f"Expected a token of at least {_SHORTEST_TOKEN} plain characters; make one with: "
            f'python -c "import secrets; print(secrets.token_urlsafe())"'
        )
    if token is None and not loopback:
        raise ConfigError(
            f"Others can reach {host}, so a token is needed: give --token-file FILE or set "
            f"MASKWRIGHT_TOKEN, or leave out --host to answer this machine alone."
        )
    if keep is None and loopback:
        keep = "kept"
    sources = [models] if isinstance(models, str | Path) else models
    with bind(host, port) as listener:
        opened = open_models([str(model) for model in sources], on_message)
        app = create_app(
            opened,
            limits,
            token=token,
            hosts=LOOPBACK if loopback else None,
            keep=None if keep is None else Path(keep),
        )
        quoted = f"[{host}]" if ":" in host else host
        address = f"http://{quoted}:{listener.getsockname()[1]}"

        def begin() -> None:
            on_message(
                f"Answers at {address} with {', '.join(opened) or 'no model yet'}; Ctrl+C ends it."
            )
            ready(address)

        run_until_signal(app, listener, limits, begin)
