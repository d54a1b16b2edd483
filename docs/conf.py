"""The documentation as a site: `make docs`, then open build/docs/index.html.

Commands, settings and the API are read from the code while the site is built: a page says where by
one of the names in `_MADE`, as `{{ commands }}`. No page loads anything from other hosts.
"""

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import typer
from pydantic_core import PydanticUndefined
from sphinx.application import Sphinx

import maskwright
from maskwright.cli.app import app
from maskwright.config import RegionConfig, TrainConfig

project = "Maskwright"
author = "The Maskwright authors"
copyright = author
release = maskwright.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["screenshots.py"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
default_role = "code"  # one backtick in docstrings, as in Markdown
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Call arguments", "params_style"), ("Source", "notes_style")]
python_maximum_signature_line_length = 100
suppress_warnings = ["myst.header"]  # sections of the changelog repeat
smartquotes = False  # options begin with two hyphens
html_theme = "furo"
html_title = f"Maskwright {release}"
html_copy_source = False
html_show_sphinx = False

_DOCUMENTED: list[object] = []
_MODULES = ("augment", "encoders", "losses", "metrics", "models", "regions")


def _cell(text: object) -> str:
    """Text in a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """All commands below a group, with their full names."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def command_sections() -> str:
    """A section for each command: what it does, its arguments and its options."""
    parts = []
    for name, command in _commands(typer.main.get_command(app), "maskwright"):
        parts += [f"## {name}", inspect.cleandoc(command.help or "")]
        rows = ["| argument | meaning |", "|---|---|"]
        for each in command.params:
            if not each.hidden:
                names = ", ".join((*each.opts, *each.secondary_opts))
                named = names if each.param_type_name == "option" else names.upper()
                rows.append(f"| `{named}` | {_cell(each.help or '')} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def setting_tables() -> str:
    """A table of the settings of each kind of run, with their defaults."""
    parts = []
    for title, kind in (("Segmentation", TrainConfig), ("Regions", RegionConfig)):
        rows = ["| setting | default | meaning |", "|---|---|---|"]
        for name, field in kind.model_fields.items():
            default = "" if field.default is PydanticUndefined else field.default
            default = "none" if default is None else default
            rows.append(f"| `{name}` | `{_cell(default)}` | {_cell(field.description or '')} |")
        parts += [f"## {title}", "\n".join(rows)]
    return "\n\n".join(parts)


def _directives(module: ModuleType, names: Iterable[str]) -> str:
    """What documents public names of a module; of mappings the keys, or the value."""
    parts = []
    for name in names:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            kind = "class" if inspect.isclass(value) else "function"
            told = f".. auto{kind}:: {module.__name__}.{name}"
            # Some names are public in two modules; links lead to the first.
            told += "\n   :no-index:" if value in _DOCUMENTED else ""
            _DOCUMENTED.append(value)
            parts.append(f"```{{eval-rst}}\n{told}\n```")
        elif isinstance(value, Mapping):
            parts.append(f"**`{name}`**: {', '.join(f'`{key}`' for key in value)}.")
        else:
            parts.append(f"**`{name}`**: `{_cell(value)}`.")
    return "\n\n".join(parts)


def function_entries() -> str:
    """The verbs, as Python functions."""
    return _directives(maskwright, (n for n in maskwright.__all__ if n not in _MODULES))


def library_entries() -> str:
    """The public names of the library's modules."""
    parts = []
    for name in _MODULES:
        module = getattr(maskwright, name)
        about = inspect.cleandoc(module.__doc__ or "")
        parts += [f"## maskwright.{name}", about, _directives(module, module.__all__)]
    return "\n\n".join(parts)


def changes() -> str:
    """The changelog, whose links lead from the root of the repository."""
    text = Path(__file__).parents[1].joinpath("CHANGELOG.md").read_text(encoding="utf-8")
    return text.replace("](docs/", "](../")


_MADE: dict[str, Callable[[], str]] = {
    "commands": command_sections,
    "settings": setting_tables,
    "functions": function_entries,
    "library": library_entries,
    "changes": changes,
}


def _fill(sphinx: Sphinx, name: str, source: list[str]) -> None:
    for key, make in _MADE.items():
        mark = "{{ " + key + " }}"
        if mark in source[0]:
            source[0] = source[0].replace(mark, make())


def setup(sphinx: Sphinx) -> None:
    """Called by Sphinx."""
    sphinx.connect("source-read", _fill)
