"""What is published: wheel and sdist, installed from a package index into bare environments."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.13")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with a wheel and an sdist of this tree."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", out]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return out


def test_the_wheel_holds_the_package_alone(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"maskwright"}
    assert {"maskwright/py.typed", "maskwright/serving/page/index.html"} <= set(names)
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"README.md", "pyproject.toml", "src/maskwright/__init__.py"} <= held
    assert not [name for name in held if name.startswith((".venv", "runs/", "uv.lock"))]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("version", PYTHONS)
def test_a_bare_environment_trains_on_pretrained_features(built, tmp_path, version):
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-V"], capture_output=True).returncode:
        pytest.skip(f"Python {version} is not installed")
    subprocess.run([python, "-m", "venv", tmp_path / "env"], check=True)
    there = tmp_path / "env" / "bin"
    wheel = next(built.glob("*.whl"))
    install = [there / "python", "-m", "pip", "install", "-q", f"{wheel}[cpu]"]
    installed = subprocess.run(install, capture_output=True, text=True)
    if "No matching distribution" in installed.stderr or "connection" in installed.stderr.lower():
        pytest.skip("there is no package index")
    assert installed.returncode == 0, installed.stderr

    def run(*arguments):
        command = [there / "maskwright", *map(str, arguments)]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout + ended.stderr

    run("demo", "--minutes", "0.1", "-o", "demo")
    pretrained = ("--minutes", "0.1", "--set", "encoder=efficientnet_lite0")
    run("train", "demo/data", "-o", "run", *pretrained)
    run("predict", "run", "demo/data/images", "-o", "masks")
    assert len(list((tmp_path / "masks").glob("*.png"))) > 100
