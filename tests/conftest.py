"""What several tests share: the real data beside the project, where it is there."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def real_data() -> Path:
    return _present(SHARED / "data")


@pytest.fixture(scope="session")
def real_weights() -> Path:
    return _present(SHARED / "weights")


def _present(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"the folder {folder} is absent")
    return folder
