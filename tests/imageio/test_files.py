"""Folders are made whole; what killed processes left is removed, what others are making is not."""

import os
import subprocess
import sys

from maskwright.imageio import atomic_folder
from maskwright.imageio.tables import write_table

MAKING = """
import sys, time; from pathlib import Path; from maskwright.imageio import atomic_folder
with atomic_folder(Path(sys.argv[1])) as made:
    (made / "half").write_text("half"); print(made, flush=True); time.sleep(600)
"""


def test_a_folder_that_a_killed_process_began_is_removed_and_one_under_way_is_not(tmp_path):
    folder, other = tmp_path / "arrays", tmp_path / ".arrays.notes"
    other.mkdir()
    command = [sys.executable, "-c", MAKING, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        begun = tmp_path / process.stdout.readline().strip()
        with atomic_folder(folder) as made:
            (made / "whole").write_text("whole")
        assert [path.name for path in folder.iterdir()] == ["whole"]
        assert (begun / "half").exists()
        process.kill()
    with atomic_folder(folder):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {".arrays.notes", "arrays"}


def test_names_that_are_not_utf_8_are_written_with_escapes(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    write_table(tmp_path / "a.csv", ["image"], [[name], ["b.png"]])
    assert (tmp_path / "a.csv").read_text() == "image\ncaf\\udce9.png\nb.png\n"
