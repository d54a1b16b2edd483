"""`maskwright export` and `maskwright serve`."""

import json
import os
import webbrowser
from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo

from maskwright.cli import options
from maskwright.cli.console import print_message, quiet_tensorflow
from maskwright.errors import ConfigError
from maskwright.types import Format


def export(
    run: Annotated[Path, Argument(help="Folder of a run, or of an ensemble.")],
    out: Annotated[
        Path, Option("-o", "--out", help="Output folder, or a file ending with .maskwright.")
    ],
    format: Annotated[Format, Option(help="Inference engine of the exported model.")] = "onnx",
    data: Annotated[
        str | None, Option(help="Data set; outputs are also compared on its validation images.")
    ] = None,
    int8: Annotated[
        bool, Option("--int8", help="Quantize to 8 bits, calibrated on training images of --data.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Export a model for another engine and verify it against the original."""
    quiet_tensorflow()
    from maskwright import api

    exported = api.export_model(run, out, format=format, data=data, int8=int8)
    if as_json:
        summary = {"path": str(exported.path), **exported.parity.to_dict()}
        if exported.segmenter is not None:
            summary["segmenter"] = exported.segmenter.to_dict()
        echo(json.dumps({**summary, "notes": list(exported.notes)}))
        return
    for note in exported.notes:
        print_message(note)
    if layers := exported.listing.kept_in_float:
        print_message(f"{len(layers)} layers remain in float: {', '.join(layers)}.")
    if exported.segmenter is not None:
        print_message(f"Segmenter: {exported.segmenter.summary()}")
    print_message(exported.parity.summary())
    echo(exported.path)


def serve(
    models: Annotated[
        list[str],
        Argument(
            metavar="MODEL…",
            help="Runs, also in training, ensembles or exported models; as PATH or NAME=PATH.",
        ),
    ],
    host: Annotated[str, Option(help="Network address to bind to.")] = "127.0.0.1",
    port: Annotated[int, Option(help="Port; 0 selects a free one.", min=0, max=65535)] = 8000,
    token_file: Annotated[
        Path | None, Option(help="File with the access token that clients must send.")
    ] = None,
    keep: Annotated[
        Path | None,
        Option(
            help="Folder for images and masks that the page adds to training data.",
            show_default="kept",
        ),
    ] = None,
    public_url: Annotated[
        str | None,
        Option(help="Address of an HTTPS proxy on this machine, as https://masks.example.org."),
    ] = None,
    queue: Annotated[
        int, Option(help="Maximum pending requests; more receive status 503.", min=1)
    ] = 64,
    seconds: Annotated[
        float, Option(help="Time limit of a request; beyond it, status 504.", min=0.1)
    ] = 60.0,
    max_megapixels: Annotated[
        float, Option(help="Maximum image size; larger ones receive status 413.", min=0.001)
    ] = 128.0,
    max_body_mb: Annotated[
        float, Option(help="Maximum request size; larger ones receive status 413.", min=0.001)
    ] = 256.0,
    allow_code: options.AllowCode = False,
    open_page: Annotated[bool, Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Serve models over HTTP: a web page and a REST API.

    By default, the server is reachable from this machine only. Another --host, or a --public-url,
    requires an access token, from --token-file or the environment variable MASKWRIGHT_TOKEN.
    """
    from maskwright.export.artifact import needs_tensorflow

    if token_file is None:
        token = os.environ.get("MASKWRIGHT_TOKEN")
    else:
        token = token_file.read_text(encoding="utf-8").strip()
    if any(needs_tensorflow(Path(model.rpartition("=")[2])) for model in models):
        quiet_tensorflow()
    try:
        from maskwright import serving
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"Serving requires {error.name}, which is not installed; install it with: pip install "
            f'"maskwright[serve]"'
        ) from None
    limits = serving.ServerLimits(
        public_url=None if public_url is None else _origin(public_url),
        queue=queue,
        seconds=seconds,
        pixels=round(max_megapixels * 10**6),
        body_bytes=round(max_body_mb * 2**20),
        allow_code=allow_code,
    )

    def show(address: str) -> None:
        if open_page:
            webbrowser.open(address)

    serving.serve(
        models,
        host=host,
        port=port,
        token=token,
        keep=keep,
        limits=limits,
        on_message=print_message,
        ready=show,
    )


def _origin(address: str) -> str:
    """Address as browsers send it: in lower case, without a slash at its end or the usual port."""
    text = address.rstrip("/").lower()
    return text.removesuffix(":443" if text.startswith("https:") else ":80")
