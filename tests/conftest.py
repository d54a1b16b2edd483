"""What several tests share: the real data beside the project, and steps that are not compiled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def real_data() -> Path:
    return _present(SHARED / "data")


@pytest.fixture(scope="session")
def real_weights() -> Path:
    return _present(SHARED / "weights")


@pytest.fixture(scope="module")
def uncompiled() -> Iterator[None]:
    """Steps of training and prediction run as they are written, in every test of a module.

    Compiling one takes longer than the few that a tiny run takes; from some twenty steps on it is
    the other way round. What is compiled is held by `tests/training`, the tests of the command line
    and those that ask for `compiled`.
    """
    yield from _eagerly(True)


@pytest.fixture
def compiled() -> Iterator[None]:
    """Steps of one test are compiled, in a module whose others are not."""
    yield from _eagerly(False)


def _eagerly(eagerly: bool) -> Iterator[None]:
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(eagerly)
    yield
    tf.config.run_functions_eagerly(before)


def _present(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"the folder {folder} is absent")
    return folder
