"""The program `maskwright`: its commands and its exit codes."""

import logging
import sys
import warnings
from collections.abc import Callable
from functools import partial
from io import TextIOWrapper
from typing import Annotated, Any

from typer import Context, Exit, Option, Typer, echo

from maskwright import __version__
from maskwright.cli.data import check, convert
from maskwright.cli.deploy import card, export, serve
from maskwright.cli.evaluate import compare, evaluate
from maskwright.cli.labels import audit, queue
from maskwright.cli.plan import plan, search
from maskwright.cli.predict import predict
from maskwright.cli.regions import app as regions
from maskwright.cli.train import demo, lr_find, train
from maskwright.cli.trust import trust
from maskwright.errors import MaskwrightError, MaskwrightWarning, printable

app = Typer(
    name="maskwright",
    help="Train, evaluate and deploy image segmentation models.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    *(demo, check, convert, plan, train, evaluate, compare, trust, audit, queue),
    *(predict, export, card, serve, lr_find, search),
):
    app.command()(command)
app.add_typer(regions)


@app.callback()
def options(
    context: Context,
    debug: Annotated[bool, Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Train, evaluate and deploy image segmentation models."""
    if version:
        echo(__version__)
        raise Exit
    if context.invoked_subcommand is None:
        echo(context.get_help())
        raise Exit(2)


def main() -> None:
    """Run the program; an error prints one sentence on standard error and sets the exit code."""
    # Behind the filters of -W and PYTHONWARNINGS: other programs warn of their own affairs.
    warnings.filterwarnings("ignore", append=True)
    logging.getLogger("tifffile").disabled = True  # what is damaged is told in our sentences
    warnings.filterwarnings("always", category=MaskwrightWarning)
    warnings.showwarning = partial(_show_once, warnings.showwarning, set())
    # Accepted at any position: it is mostly appended to a command that has just failed.
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    for stream in (sys.stdout, sys.stderr):  # names of files and classes are of any alphabet
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(arguments, prog_name="maskwright")
    except (MaskwrightError, OSError) as error:  # a full disk, a folder that may not be written
        if debug:
            raise
        text = str(error)
        if isinstance(error, OSError) and error.filename is None:
            text = f"A file could not be written or read: {error.strerror or error}."
        echo(printable(f"maskwright: {text}"), err=True)
        sys.exit(getattr(error, "exit_code", 1))
    except ModuleNotFoundError as error:
        if debug or error.name not in ("tensorflow", "tensorflow_cpu"):
            raise
        echo(
            'maskwright: TensorFlow is not installed; install it with pip install "maskwright[cpu]"'
            ' or, for NVIDIA GPUs, pip install "maskwright[gpu]", never both.',
            err=True,
        )
        sys.exit(2)


def _show_once(show: Callable[..., None], shown: set[str], *warning: Any, **where: Any) -> None:
    """Print a warning of Maskwright as a sentence, unless it is among those `shown` already.

    "once" of Python's filters does not do: it forgets when any library changes a filter.
    """
    message, category, *_ = warning
    if not issubclass(category, MaskwrightWarning):
        show(*warning, **where)
    elif (text := str(message)) not in shown:
        shown.add(text)
        echo(text, err=True)
