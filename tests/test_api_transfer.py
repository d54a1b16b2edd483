"""Training from the weights of another run: masks, single objects, and what is refused."""

import json

import numpy as np
import pytest

import maskwright
from maskwright.errors import ConfigError, ModelError
from maskwright.imageio import write_image
from maskwright.tasks.transfer import read_weights

pytestmark = pytest.mark.usefixtures("uncompiled")
QUICK = {"batch_size": 4, "epochs": 1, "previews": 0, "size": 32}
PLAIN = {"encoder": "plain", "encoder_widths": (4, 8, 8), "norm": "group"}
NOTHING_LEARNED = {"learning_rate": 1e-12, "average": 0.0, "augmentation": "none"}
"""With these, a run ends with the weights that it starts from."""


def draw(folder, seed, names, count=8):
    """Squares on noise, of the classes of some names behind the background, touching in pairs."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        image = rng.integers(0, 60, (32, 32, 3)).astype(np.uint8)
        mask = np.zeros((32, 32, 1), np.uint8)
        for place, label in enumerate(range(1, len(names) + 1)):
            left = 2 + 9 * place + number % 2
            mask[6:14, left : left + 8] = label
        image += (60 * mask).astype(np.uint8)
        write_image(folder / "images" / f"{number}.png", image)
        write_image(folder / "masks" / f"{number}.png", mask)
    (folder / "data.yaml").write_text(f"classes: [background, {', '.join(names)}]\n")
    return folder


@pytest.fixture(scope="module")
def earlier(tmp_path_factory, as_written):
    """A run of cells and debris, with a decoder that is not the default."""
    folder = tmp_path_factory.mktemp("earlier")
    data = draw(folder / "data", 0, ("cell", "debris"))
    with as_written():
        return maskwright.train(data, folder / "run", decoder="unet", **PLAIN, **QUICK).folder


def test_a_run_takes_network_weights_and_classes_of_another(earlier, tmp_path):
    data = draw(tmp_path / "data", 1, ("debris", "vessel"))
    said = []
    how = {"weights": earlier, "on_message": said.append, **QUICK, **NOTHING_LEARNED}
    run = maskwright.train(data, tmp_path / "run", **how)
    (sentence,) = (text for text in said if str(text).startswith("Starts from"))
    assert (
        "the outputs for background, debris among them; the outputs for vessel start at" in sentence
    )
    settings = run.read_settings()
    assert (settings["decoder"], settings["weights"]) == ("unet", str(earlier))
    assert "encoder_weights" not in settings
    theirs, ours = (read_weights(folder).model for folder in (earlier, run.folder))
    for mine, its in zip(ours.weights[:-2], theirs.weights[:-2], strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-6)
    kernels = [np.asarray(m.get_layer("classes").kernel)[0, 0] for m in (ours, theirs)]
    np.testing.assert_allclose(kernels[0][:, :2], kernels[1][:, [0, 2]], atol=1e-6)
    # What the other run has seen is known to this one as well.
    records = [json.loads((f / "learned_images.json").read_text()) for f in (run.folder, earlier)]
    seen = [{*record["train"].values()} for record in records]
    assert seen[1] < seen[0]


def test_images_set_aside_that_the_other_has_learned_from_are_told(earlier, tmp_path):
    said = []
    how = {"weights": earlier, "on_message": said.append, **QUICK}
    data = earlier.parent / "data"
    maskwright.train(data, tmp_path / "same", **how)
    assert not any("has learned from" in str(text) for text in said)
    # By this seed, images 0, 4 and 7 are set aside; by the other, 0, 4 and 5.
    maskwright.train(data, tmp_path / "other", split_seed=1, **how)
    assert any("has learned from 1 of 3 images" in str(text) for text in said)


def test_single_objects_start_from_a_model_of_classes(earlier, tmp_path):
    data = draw(tmp_path / "data", 2, ("cell",))
    (data / "data.yaml").write_text("classes: [background, cell]\nobjects: components\n")
    said = []
    how = {"weights": earlier, "on_message": said.append, **QUICK}
    run = maskwright.train(data, tmp_path / "run", objects="centers", **how)
    assert "the outputs for depth, center start at random." in "".join(map(str, said))
    # And from there a model of single objects, whose method need not be stated.
    again = maskwright.train(data, tmp_path / "again", **{**how, "weights": run.folder})
    assert again.read_settings()["objects"] == "centers"


def test_a_resumed_run_needs_the_other_no_more(earlier, tmp_path):
    data = draw(tmp_path / "data", 3, ("cell", "debris"))
    gone = earlier.rename(earlier.with_name("moved"))
    try:
        run = maskwright.train(data, tmp_path / "run", weights=gone, **QUICK)
    finally:
        gone.rename(earlier)
    assert maskwright.train(data, tmp_path / "run", resume=True, epochs=2).read_history()[-1]
    assert run.read_history()[-1]["epoch"] == 2


def test_what_weights_cannot_be_taken_from_is_told(earlier, tmp_path):
    data = draw(tmp_path / "data", 4, ("cell",))
    with pytest.raises(ModelError, match=r"finished run, or a file .*; there is no such folder"):
        maskwright.train(data, tmp_path / "run", weights="nowhere", **QUICK)
    with pytest.raises(ModelError, match=r"it has no model_card\.json"):
        maskwright.train(data, tmp_path / "run", weights=data, **QUICK)
    with pytest.raises(ConfigError, match="decoder is unet there and fpn here; leave such"):
        maskwright.train(data, tmp_path / "run", weights=earlier, decoder="fpn", **QUICK)
    with pytest.raises(ConfigError, match="`encoder_weights` has no effect with weights="):
        maskwright.train(data, tmp_path / "run", weights=earlier, encoder_weights="a", **QUICK)
    assert not (tmp_path / "run" / "plan.yaml").exists()


def test_a_plan_has_the_network_of_the_other_run(earlier, tmp_path):
    data = draw(tmp_path / "data", 5, ("cell",))
    plan = maskwright.plan(data, measure=False, weights=earlier)
    reasons = {choice.key: choice.reason for choice in plan.choices}
    assert plan.settings["decoder"] == "unet"
    assert reasons["decoder"] == f"That of the network in {earlier}."
    assert "encoder_weights" not in plan.settings
