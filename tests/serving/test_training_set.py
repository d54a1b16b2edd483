"""Files of one image become part of a data set all or none, wherever the server is killed."""

import itertools
import os

from maskwright.serving.store.training_set import (
    locked_training_set,
    recover_training_sets,
    staged_files,
)


class Killed(BaseException):
    """No code of the server changes files after it."""


def keep(folder, text):
    with locked_training_set(folder), staged_files(folder) as staged:
        for name in ("data.yaml", "masks/a.png", "instances/a.png", "images/a.png"):
            (staged / name).parent.mkdir(exist_ok=True)
            (staged / name).write_text(text)


def content(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def killed_after(calls, patch):
    """Let calls that change folders raise `Killed` from some call on."""
    counter = itertools.count()

    def counted(function):
        def call(*args, **kwargs):
            if next(counter) >= calls:
                raise Killed
            return function(*args, **kwargs)

        return call

    for name in ("mkdir", "rename", "replace", "unlink", "rmdir"):
        patch.setattr(os, name, counted(getattr(os, name)))


def replaced(parent, monkeypatch, calls):
    """Whether a pair is replaced before the kill; it is whole in any case."""
    folder = parent / "cells"
    keep(folder, "old")
    names, done = content(folder).keys(), True
    with monkeypatch.context() as patch:
        killed_after(calls, patch)
        try:
            keep(folder, "new")
        except Killed:
            done = False
    visible = {name: text for name, text in content(folder).items() if name in names}
    visible.pop("data.yaml")
    assert "images/a.png" not in visible or len(set(visible.values())) == 1
    recover_training_sets(parent)
    assert content(folder).keys() == names
    assert not list(folder.glob(".*"))
    (text,) = set(content(folder).values())
    assert not done or text == "new"
    return done, text


def test_a_pair_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    outcomes = []
    while not outcomes or not outcomes[-1][0]:
        outcomes.append(replaced(tmp_path / str(len(outcomes)), monkeypatch, len(outcomes)))
    texts = [text for _, text in outcomes]
    assert texts == sorted(texts, reverse=True)  # once committed it is new
    assert min(texts.count("old"), texts.count("new")) > 5
