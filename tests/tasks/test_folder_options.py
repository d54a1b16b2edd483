"""Options of `predict` that a task does not support are refused, by one rule for all tasks."""

import pytest

from maskwright.errors import ConfigError
from maskwright.inference.folder_plan import FolderOptions
from maskwright.tasks.registry import TASKS

SUPPORTED = {
    "semantic": {"flips", "probabilities", "large", "polygons", "bounds"},
    "multilabel": {"flips", "probabilities", "large", "polygons", "bounds"},
    "instances": {"classes"},
    "regions": {"flips", "masks", "group_by", "heat"},
}
VALUES = {
    **dict.fromkeys(("flips", "probabilities", "large", "polygons", "masks", "heat"), True),
    "bounds": True,
    **{"classes": "runs/classes", "group_by": "(.)"},
}


@pytest.mark.parametrize(
    ("task", "option"),
    [(task, option) for task in TASKS for option in VALUES if option not in SUPPORTED[task]],
)
def test_an_option_that_a_task_does_not_support_is_named(task, option, tmp_path):
    options = FolderOptions(**{option: VALUES[option]})
    with pytest.raises(ConfigError, match=f"of the task {task} does not .*leave out `{option}`"):
        TASKS[task].plan_folder(tmp_path / "run", tmp_path, tmp_path / "out", options)
