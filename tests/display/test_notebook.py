"""Real notebooks: what each cell shows, and that nothing is shown twice or written to a log."""

import pytest

from maskwright.data.synthetic import write_dataset

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Function from the cells of a notebook to the outputs of each."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    write_dataset(tmp_path / "cells", num_images=24, size=48)

    def execute(*cells):
        notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
        where = {"metadata": {"path": str(tmp_path)}}
        nbclient.NotebookClient(notebook, timeout=240, resources=where).execute()
        return [cell.outputs for cell in notebook.cells]

    return execute


def kinds(cell):
    """Type and richest format of each output of a cell, but for lines of progress.

    Such a line tells of one work; there may be more or fewer of them, as the machine is quick.
    """
    order = ("image/png", "text/html", "text/plain")
    lines = [each.data["text/plain"] for each in cell if is_progress(each)]
    works = [line.partition(":")[0] for line in lines]
    assert len(works) == len(set(works))
    rest = [each for each in cell if not is_progress(each)]
    return [(each.output_type, next(k for k in order if k in each.data)) for each in rest]


def is_progress(output):
    return "<progress " in output.get("data", {}).get("text/html", "")


def test_a_data_set_its_samples_and_a_line_of_progress(outputs):
    first, data, shown, plotted, with_pyplot, line = outputs(
        "import maskwright; data = maskwright.open_dataset('cells')",
        "data",
        "for sample in data.of('val')[:2]:\n    sample.show()",
        "data.samples[0].plot()",
        "import matplotlib.pyplot as plt\nbackend = plt.get_backend()\ndata.samples[0].plot()",
        "import time\n"
        "from maskwright.data import parallel\n"
        "parallel._PATIENCE_S = 0\n"
        "with parallel.progress('Reading <masks>', 40) as advance:\n"
        "    for _ in range(40):\n"
        "        advance(1)\n"
        "        time.sleep(0.03)",
    )
    assert kinds(first) == []
    assert kinds(data) == [("execute_result", "text/html")]
    assert kinds(shown) == [("display_data", "image/png")] * 2
    # Pyplot draws the figures that it made at the end of a cell; ours it must not draw again.
    assert kinds(plotted) == kinds(with_pyplot) == [("execute_result", "image/png")]
    assert len(line) == 1
    assert line[0].data["text/plain"] == "100% Reading <masks>: 40 of 40"
    assert "Reading &lt;masks&gt;" in line[0].data["text/html"]


def test_training_scores_and_a_prediction(outputs):
    trained, run, curves, scored, scores, bars, predicted, shown = outputs(
        "import warnings, maskwright, tensorflow as tf\n"
        "warnings.filterwarnings('ignore', '.*experimental_run_functions_eagerly')\n"
        "tf.config.run_functions_eagerly(True)  # quicker for a run of a few steps\n"
        "run = maskwright.train('cells', 'run', encoder='plain', encoder_widths=(4, 8),\n"
        "                       size=32, batch_size=4, epochs=2, previews=0)",
        "run",
        "run.plot()",
        "scores = maskwright.evaluate(run.folder, 'cells')",
        "scores",
        "scores.plot()",
        "data = maskwright.open_dataset('cells')\n"
        "prediction = maskwright.load(run.folder)(data.read(data.of('test')[0])[0])\n"
        "prediction",
        "prediction.show()",
    )
    # Lines updated in place, and nothing on standard error.
    assert kinds(trained) == kinds(scored) == []
    assert "val foreground Dice" in trained[-1].data["text/plain"]
    assert kinds(run) == kinds(scores) == kinds(predicted) == [("execute_result", "text/html")]
    assert kinds(curves) == kinds(bars) == [("execute_result", "image/png")]
    assert kinds(shown) == [("display_data", "image/png")]
    assert len(run[0].data["text/html"]) < 130_000
