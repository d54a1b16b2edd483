"""Commands, settings, Python examples and links in the documentation exist."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args, is_typeddict

import pytest
import typer

import maskwright
from maskwright.cli.app import app
from maskwright.config import RegionConfig, TrainConfig

ROOT = Path(maskwright.__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PAGES if path.exists()
}
COMMANDS = typer.main.get_command(app).commands
SETTINGS = TrainConfig.model_fields.keys() | RegionConfig.model_fields.keys()

pytestmark = pytest.mark.skipif(not TEXTS, reason="the documentation is not installed")
each_page = pytest.mark.parametrize("page", TEXTS)


def code_blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXTS[page], re.M | re.S)


def command_lines(page):
    """Command lines in code blocks and in inline code, without comments."""
    lines = [line for block in code_blocks(page, "") for line in block.splitlines()]
    lines += re.findall(r"`(maskwright [^`]*)`", TEXTS[page])
    return [line.partition("#")[0] for line in lines if line.startswith("maskwright ")]


def find_command(line):
    group, words = COMMANDS, line.split()[1:]
    command = group[words[0]]
    return command.commands[words[1]] if words[0] == "regions" and words[1:] else command


def resolve(dotted):
    """Object or module of a dotted name; `AttributeError` if it does not exist."""
    target = maskwright
    for place, part in enumerate(parts := dotted.split(".")[1:], 1):
        if not hasattr(target, part):
            try:
                importlib.import_module(".".join(["maskwright", *parts[:place]]))
            except ModuleNotFoundError:
                raise AttributeError(f"{dotted} does not exist") from None
        target = getattr(target, part)
    return target


@each_page
def test_commands_have_these_options(page):
    for line in command_lines(page):
        known = {name for option in find_command(line).params for name in option.opts}
        known |= {name for option in find_command(line).params for name in option.secondary_opts}
        used = set(re.findall(r"(?<![\w-])(--?[a-z][a-z0-9-]*)", line))
        assert used <= known | {"--help"}, line


@each_page
def test_settings_exist(page):
    keys = re.findall(r"--set\s+'?([a-z_]+)[.=]", TEXTS[page])
    assert set(keys) <= SETTINGS


def options_of(function):
    """Names of the parameters of a function, and of its typed options."""
    parameters = inspect.signature(function).parameters
    unpacked = [argument for p in parameters.values() for argument in get_args(p.annotation)]
    typed = (each for each in unpacked if is_typeddict(each))
    return set(parameters).union(*(each.__annotations__ for each in typed))


@each_page
def test_python_examples_use_names_that_exist(page):
    for block in code_blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("maskwright"):
                for alias in node.names:
                    resolve(f"{node.module}.{alias.name}")
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("maskwright."):
                dotted = ast.unparse(node.func)
                assert dotted.count(".") > 1 or dotted.split(".")[1] in maskwright.__all__
                function = resolve(dotted)
                known = options_of(function) | SETTINGS
                assert {word.arg for word in node.keywords} <= known, ast.unparse(node)
    for dotted in re.findall(r"`(maskwright(?:\.\w+)+)", TEXTS[page]):
        resolve(dotted)


@each_page
def test_links_lead_to_files_and_headings(page):
    folder = (ROOT / page).parent
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = folder / name if name else ROOT / page
        assert target.exists(), link
        headings = re.findall(r"^#+ (.*)", target.read_text("utf-8") if anchor else "", re.M)
        slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in slugs | {""}, link


def test_the_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("sphinx", reason="Sphinx is not installed")
    options = ("-b", "html", "-q", "-W", "--keep-going", "-d", tmp_path / "doctrees")
    command = [sys.executable, "-m", "sphinx", *options, ROOT / "docs", tmp_path / "site"]
    built = subprocess.run(command, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-3000:]
    page = (tmp_path / "site" / "reference" / "functions.html").read_text("utf-8")
    assert all(f"maskwright.{verb}" in page for verb in ("train", "evaluate", "predict"))
    assert "--calibration-share" in (tmp_path / "site" / "reference" / "commands.html").read_text()
    loaded = re.findall(r'(?:src|href)="(https?://[^"]+\.(?:js|css|woff2?|png|svg))"', page)
    assert loaded == []
