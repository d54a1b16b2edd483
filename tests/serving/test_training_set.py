"""Files of one image become part of a data set all or none, wherever the server is killed."""

import shutil
from pathlib import Path

import pytest

from maskwright.serving.store.training_set import (
    locked_training_set,
    recover_training_sets,
    staged_files,
)


class Killed(BaseException):
    """No code of the server runs after it."""


def keep(folder, text):
    with locked_training_set(folder), staged_files(folder) as staged:
        for name in ("data.yaml", "masks/a.png", "instances/a.png", "images/a.png"):
            (staged / name).parent.mkdir(exist_ok=True)
            (staged / name).write_text(text)


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("call", range(9))
def test_a_pair_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch, call):
    folder = tmp_path / "cells"
    keep(folder, "old")
    old = content(folder)
    left = call

    def killing(function):
        def killed(*args, **kwargs):
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return function(*args, **kwargs)

        return killed

    with monkeypatch.context() as patch:
        for owner, name in ((Path, "rename"), (Path, "replace"), (Path, "unlink")):
            patch.setattr(owner, name, killing(getattr(owner, name)))
        patch.setattr(shutil, "rmtree", killing(shutil.rmtree))
        try:
            keep(folder, "new")
            done = True
        except Killed:
            done = False
    visible = {name: text for name, text in content(folder).items() if not name.startswith(".")}
    if "images/a.png" in visible:  # nobody reads half of a pair
        assert len({text for name, text in visible.items() if name != "data.yaml"}) == 1
    recover_training_sets(tmp_path)
    texts = set(content(folder).values())
    assert content(folder).keys() == old.keys()
    assert texts == {"old"} if call == 0 else texts == {"new"}
    assert done == (call >= 8)
    assert not list(folder.glob(".*"))
