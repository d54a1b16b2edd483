"""Temporary folders of a server that was killed; and those of others."""

import os
import subprocess
import sys
import tempfile
import time

import pytest

from maskwright.serving.store.temporary import remove_leftovers, temporary_folder

HOLD = (
    "import sys, time\n"
    "from maskwright.serving.store.temporary import mark_process_folder, temporary_folder\n"
    "mark_process_folder()\n"
    "with temporary_folder() as folder:\n"
    "    (folder / 'image').write_bytes(b'x' * 1000)\n"
    "    print(folder, flush=True)\n"
    "    time.sleep(60)\n"
)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    tempfile.tempdir = None


def test_folders_of_killed_servers_are_removed_and_no_others(place):
    (place / "maskwright-other").mkdir()
    (place / "maskwright-serve-file").write_text("of somebody")
    (place / "maskwright-new-young").mkdir()  # a server may be starting there
    (place / "maskwright-serve-link").symlink_to(place / "maskwright-other")
    old = place / "maskwright-new-old"
    old.mkdir()
    os.utime(old, (time.time() - 3600,) * 2)
    holders = [
        subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    killed, alive = (process.stdout.readline().strip() for process in holders)
    holders[0].kill()
    holders[0].communicate()
    with temporary_folder() as own:
        before = set(place.iterdir())
        remove_leftovers()
        removed = sorted(path.name for path in before - set(place.iterdir()))
        assert removed[:2] == ["maskwright-new-old", os.path.basename(killed)]  # noqa: PTH119
        assert len(removed) == 3
        assert removed[2].startswith("pymp-")  # where Python had sockets of processes
        assert own.is_dir()
    assert not own.exists()
    holders[1].kill()
    holders[1].communicate()
    remove_leftovers()
    assert not os.path.exists(alive)  # noqa: PTH110
