"""What several tests share: the real data beside the project, steps that are not compiled, and the
order of the files.
"""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"
# First, so that no process of several is left alone with a long one when the others have ended.
LONGEST = (
    "training/test_workers.py",
    "export/test_export_run.py",
    "contracts/test_models.py",
    "test_api_objects.py",
    "training/test_fit.py",
    "models/test_classifiers.py",
    "models/test_encoders.py",
    "test_api_regions.py",
    "test_api.py",
    "cli/test_cli_regions.py",
    "cli/test_cli.py",
    "models/test_conformance_encoders.py",
    "export/test_export_tasks.py",
    "test_folds.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {Path(__file__).parent / name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish() -> None:
    """What importing made stays for good and need not be looked through again: each run of Keras
    collects garbage, which took a sixth of the time of the tests.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def stored_weights(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The default encoder has weights wherever the tests run, so that no test asks the network.

    They are stored by name alone: tests start from no weights, or from files of their own.
    """
    home = tmp_path_factory.mktemp("keras")
    (home / "models").mkdir()
    (home / "models" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5").touch()
    os.environ["KERAS_HOME"] = str(home)


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
    the other way round. What is compiled is held by `training/test_workers.py`, the tests of the
    command line and those that ask for `compiled`.
    """
    with _eagerly(True):
        yield


@pytest.fixture
def compiled() -> Iterator[None]:
    """Steps of one test are compiled, in a module whose others are not."""
    with _eagerly(False):
        yield


@pytest.fixture(scope="session")
def as_written() -> Callable[[], AbstractContextManager[None]]:
    """For fixtures that train in a module whose tests are compiled: what `uncompiled` does, for as
    long as it is entered.
    """
    return partial(_eagerly, True)


@contextmanager
def _eagerly(eagerly: bool) -> Iterator[None]:
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(eagerly)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def _present(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"the folder {folder} is absent")
    return folder
