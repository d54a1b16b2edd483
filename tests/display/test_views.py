"""What objects show of themselves, without a notebook."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import maskwright
from made_up_models import predictor
from maskwright.data.synthetic import write_dataset
from maskwright.errors import ConfigError, DataError, MaskwrightWarning
from maskwright.evaluation import EvaluateOptions
from maskwright.evaluation.reports.notebook import publish
from maskwright.inference.prediction import Prediction
from maskwright.labels import Labels
from maskwright.tasks.semantic.evaluation.report import semantic_report
from maskwright.tasks.semantic.evaluation.scorer import evaluate_masks
from maskwright.training import Run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("views") / "data"
    write_dataset(folder, num_images=12, size=48)
    return maskwright.open_dataset(folder)


def test_html_of_a_data_set_escapes_names_and_is_small(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(6):  # noise is what compresses least
        for name, high, shape in (("images", 256, (300, 400, 3)), ("masks", 2, (300, 400))):
            path = tmp_path / name / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, high, shape, np.uint8)).save(path)
    opened = maskwright.open_dataset(tmp_path)
    names = Labels.create(["background", "<i>cell</i>"])
    html = replace(opened, labels=names, origin="a & <b>")._repr_html_()
    assert "&lt;i&gt;cell&lt;/i&gt;" in html
    assert "a &amp; &lt;b&gt;" in html
    assert "<i>" not in html
    assert html.count("<img ") == 4
    assert len(html) < 110_000


def test_a_sample_shows_its_image_and_its_classes(data):
    sample = data.samples[0]
    figure = sample.plot()
    number = len(data.read_objects(sample))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["image", "ground truth", f"{number} objects"]
    image, labels = data.read(sample)
    assert np.array_equal(figure.axes[0].images[0].get_array(), image)
    drawn = figure.axes[1].images[0].get_array()
    assert np.array_equal((drawn == image).all(axis=2), labels == data.labels.background)
    named = [text.get_text() for text in figure.legends[0].texts]
    assert named == [data.labels.names[n] for n in np.unique(labels) if data.labels.background != n]
    with pytest.warns(MaskwrightWarning, match="Only a notebook can show figures"):
        sample.show()


def test_a_copy_of_a_sample_takes_no_data_set_with_it(data):
    sample = data.samples[0]
    again = pickle.loads(pickle.dumps(sample))
    assert again == sample
    assert len(pickle.dumps(sample)) < 2000
    with pytest.raises(DataError, match="Expected a sample of what `open_dataset` gave"):
        again.plot()


def test_a_prediction_counts_pixels_and_is_drawn_on_its_image():
    image = np.zeros((10, 40, 3), np.uint8)
    image[:, :10] = 255
    prediction = predictor()(image)
    html = prediction._repr_html_()
    names, (height, width) = prediction.classes.names, prediction.labels.shape
    for label, name in enumerate(names):
        area = int((prediction.labels == label).sum())
        assert f"&nbsp;{name}</th>" in html
        assert f"{area:,} ({area / (height * width):.1%})" in html
    assert np.array_equal(prediction.plot().axes[0].images[0].get_array(), image)
    with pytest.raises(ConfigError, match="no image to be shown on"):
        Prediction(prediction.labels).plot()


def test_scores_are_a_table_and_bars(data, tmp_path):
    scored = evaluate_masks(
        predictor(data.labels.names), data, EvaluateOptions(split="train", examples=0)
    )
    with pytest.raises(ConfigError, match="Expected scores of `evaluate`"):
        scored.plot()
    scored = publish(semantic_report, scored, tmp_path)
    figure, names = scored.plot(), list(data.labels.names)
    shown = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert shown[: len(names)] == names
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths[: len(names)] == pytest.approx(list(scored.total.dice))
    html = scored._repr_html_()
    assert f"{scored.total.dice[0]:.3f}" in html
    assert str(tmp_path / "report.html") in html


def test_a_run_has_a_history_as_keras_has_it(tmp_path):
    run = Run(tmp_path)
    assert run._repr_html_() is None
    run.write_history([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "val_mean_dice": 0.8}])
    run.progress_file.write_text('{"titles": {"mean_dice": "mean <Dice>"}}')
    assert run.history["loss"] == [0.5, 0.25]
    assert np.isnan(run.history["val_mean_dice"][0])
    assert [axes.get_title() for axes in run.plot().axes] == ["loss", "mean <Dice>"]
    html = run._repr_html_()
    assert "validation mean &lt;Dice&gt;" in html
    assert "0.800 at best" in html
    assert len(html) < 130_000
