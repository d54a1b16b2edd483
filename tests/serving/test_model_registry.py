from dataclasses import replace

import numpy as np
import pytest

from made_up_models import masks, predictor, two_squares, write_artifact
from maskwright.errors import ConfigError, ModelError
from maskwright.serving import open_models
from maskwright.tasks.registry import TASKS


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    return write_artifact(tmp_path_factory.mktemp("exported") / "bright cells")


def test_models_are_named_after_their_folders_or_as_they_are_told(artifact):
    models = open_models([str(artifact), f"other={artifact}"])
    assert list(models) == ["bright-cells", "other"]
    assert models["other"].task == "semantic"
    found = models["other"].segmenter.predictor(two_squares())
    assert np.count_nonzero(found.labels) == 116
    assert models.runs == {}
    with pytest.raises(KeyError):
        models["nobody"]


def test_one_name_for_two_is_refused(artifact):
    with pytest.raises(ConfigError, match="Two models have the name bright-cells"):
        open_models([str(artifact), f"bright-cells={artifact}"])


@pytest.mark.parametrize("name", ["a/b", "..", "", "ü", "x" * 101, ".hidden"])
def test_names_that_cannot_stand_in_an_address_are_refused(artifact, name):
    with pytest.raises(ConfigError, match="name of a model"):
        open_models([f"{name}={artifact}"])


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="There is no model"):
        open_models([str(tmp_path / "none")])
    with pytest.raises(ModelError):
        open_models([str(tmp_path)])


def test_the_model_of_a_run_is_opened_when_training_has_written_it(tmp_path, monkeypatch):
    run = tmp_path / "run"
    run.mkdir()
    (run / "plan.yaml").write_text("epochs: 3\n")
    models = open_models([str(run)])
    models.open_new()
    assert (list(models), list(models.runs)) == ([], ["run"])
    predictor().card.write(run / "model_card.json")  # written last
    task = replace(TASKS["semantic"], serve=lambda name, *_: masks(name))
    monkeypatch.setitem(TASKS, "semantic", task)
    models.open_new()
    assert list(models) == ["run"]


def test_a_run_of_an_earlier_version_is_refused(tmp_path):
    (tmp_path / "plan.yaml").write_text("")
    (tmp_path / "model.keras").write_bytes(b"")
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(ModelError, match="written by a version of Maskwright before"):
        open_models([str(tmp_path)])
