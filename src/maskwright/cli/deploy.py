"""`maskwright export`, `maskwright card` and `maskwright serve`."""

import json
import os
import webbrowser
from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo

from maskwright.cli import options
from maskwright.cli.console import print_message
from maskwright.errors import ConfigError
from maskwright.types import CardFormat, Format


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
    with_postprocessing: Annotated[
        bool,
        Option(
            "--with-postprocessing",
            help="Also write ONNX files with scaling and decisions inside, for other programs.",
        ),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Export a model for another engine and verify it against the original."""
    from maskwright import api

    exported = api.export_model(
        run, out, format=format, data=data, int8=int8, with_postprocessing=with_postprocessing
    )
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


def card(
    run: Annotated[Path, Argument(help="Folder of a run.")],
    out: Annotated[Path, Option("-o", "--out", help="Output folder.")],
    license: Annotated[str, Option(help="License, as SPDX identifier such as Apache-2.0.")],
    format: Annotated[CardFormat, Option(help="Hub that reads the card.")] = "huggingface",
    name: Annotated[str, Option(help="Name of the model.", show_default="name of the folder")] = "",
    author: Annotated[list[str] | None, Option(help="Author; can be repeated.")] = None,
    description: Annotated[str, Option(help="What the model is for, in a sentence.")] = "",
    data_name: Annotated[
        str, Option(help="Name of the training data.", show_default="name of its folder")
    ] = "",
    cite: Annotated[str, Option(help="DOI or address to cite.")] = "",
    split: options.Split = "test",
) -> None:
    """Write the description of a model for Hugging Face or bioimage.io; nothing is uploaded."""
    from maskwright import api

    publication = api.Publication(
        license=license,
        name=name,
        authors=tuple(author or ()),
        description=description,
        data=data_name,
        cite=cite,
    )
    for note in api.write_card(run, out, publication, format=format, split=split):
        print_message(note)
    echo(out)


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
    audit: Annotated[
        Path | None,
        Option(help="Folder written by `maskwright audit`; the page lists its masks to correct."),
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
    if token_file is None:
        token = os.environ.get("MASKWRIGHT_TOKEN")
    else:
        token = token_file.read_text(encoding="utf-8").strip()
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
        audit=audit,
        limits=limits,
        on_message=print_message,
        ready=show,
    )


def _origin(address: str) -> str:
    """Address as browsers send it: in lower case, without a slash at its end or the usual port."""
    text = address.rstrip("/").lower()
    return text.removesuffix(":443" if text.startswith("https:") else ":80")
