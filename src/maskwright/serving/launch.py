"""A server from the names of its models: `maskwright serve`, and the same from Python."""

from collections.abc import Callable, Sequence
from pathlib import Path

from maskwright.errors import ConfigError
from maskwright.serving.jobs.models import open_models
from maskwright.serving.limits import Limits
from maskwright.serving.routes.app import create_app
from maskwright.serving.security import LOOPBACK
from maskwright.serving.server import answer, bound, is_loopback

_LEAST_TOKEN = 16  # characters; shorter ones can be guessed


def serve(
    models: str | Path | Sequence[str | Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    keep: str | Path | None = None,
    limits: Limits | None = None,
    on_message: Callable[[str], None] = print,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Answer programs and people over HTTP until SIGINT or SIGTERM.

    Args:
        models: As `open_models` takes them, one or several.
        host: Address to answer at; any but a loopback address needs a token.
        port: 0 takes a free one.
        token: That whoever asks must know, of at least 16 ASCII characters; `None` for nobody.
        keep: Folder for what the page keeps for training. Left out, it is `kept` where only this
            machine can ask; elsewhere nothing is kept.
        limits: Of bodies, images, queue and time.
        on_message: Called with what is done to open the models, and where they answer.
        ready: Called with the address when the first request can come.

    Raises:
        ConfigError: If the address cannot be had or is not safe, or two models have one name.
        ModelError: If a model cannot be opened.
    """
    limits = limits or Limits()
    loopback = is_loopback(host)
    if token is not None and (len(token) < _LEAST_TOKEN or not token.isascii()):
        raise ConfigError(
            f"Expected a token of at least {_LEAST_TOKEN} plain characters; make one with: "
            f'python -c "import secrets; print(secrets.token_urlsafe())"'
        )
    if token is None and not loopback:
        raise ConfigError(
            f"Others can reach {host}, so a token is needed: give --token-file FILE or set "
            f"MASKWRIGHT_TOKEN, or leave out --host to answer this machine alone."
        )
    if keep is None and loopback:
        keep = "kept"
    named = [models] if isinstance(models, str | Path) else models
    with bound(host, port) as taken:
        opened = open_models([str(model) for model in named], on_message)
        app = create_app(
            opened,
            limits,
            token=token,
            hosts=LOOPBACK if loopback else None,
            keep=None if keep is None else Path(keep),
        )
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{taken.getsockname()[1]}"

        def begin() -> None:
            on_message(
                f"Answers at {address} with {', '.join(opened) or 'no model yet'}; Ctrl+C ends it."
            )
            ready(address)

        answer(app, taken, limits, begin)
