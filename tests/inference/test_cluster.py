import json
import os
import pickle
import signal
import sys
from dataclasses import replace

import numpy as np
import pytest
from drawing_masks import card, draw, predict_folder

from drawing_regions import QUICK, draw_discs
from maskwright import api
from maskwright.cluster import MARKER, Share, shares
from maskwright.errors import ConfigError
from maskwright.export.listing import write_listing
from maskwright.inference.cluster import Worker
from maskwright.inference.folder_plan import FolderOptions
from maskwright.inference.manifest import Manifest
from maskwright.inference.output_paths import Job, WorkItem
from maskwright.inference.pipeline import PipelineOptions
from maskwright.inference.predictor import Predictor
from maskwright.model_card import CARD_FILE, checksum
from maskwright.tasks.semantic.folder import plan_folder

IMAGES = 40


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Exported network whose logit is the mean of the channels less 100."""
    onnx = pytest.importorskip("onnx")
    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    weights = helper.make_tensor("w", floats, [3, 1], [1 / 3] * 3)
    line = helper.make_tensor("b", floats, [1], [-100.0])
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["images", "w"], ["m"]),
            helper.make_node("Add", ["m", "b"], ["logits"]),
        ],
        "brightness",
        [helper.make_tensor_value_info("images", floats, ["n", "h", "w", 3])],
        [helper.make_tensor_value_info("logits", floats, ["n", "h", "w", 1])],
        [weights, line],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    folder = tmp_path_factory.mktemp("model")
    onnx.save(made, folder / "model.onnx")
    sha = checksum(folder / "model.onnx")
    replace(card(size=None), model_sha256=sha).write(folder / CARD_FILE)
    write_listing(folder, format="onnx")
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for n in range(IMAGES):
        draw(folder / f"{n}.png", (200, 150), bright=n)
    (folder / "7.png").write_text("no image")
    return folder


def worker(model, images, out, token):
    """A worker of a plan for a cluster."""
    plan = plan_folder(model, images, out, FolderOptions(engine="ray", batch_size=4))
    return Worker(plan.open, PipelineOptions(out, max_pixels=10**6, threads=1), token)


def test_a_worker_predicts_its_items(model, images, tmp_path):
    (tmp_path / f"{MARKER}-token").touch()
    items = [
        WorkItem((Job(images / f"{n}.png", tmp_path / f"{n}.png"),), "settings") for n in (6, 7)
    ]
    packed = np.array([pickle.dumps(item) for item in items])
    rows = worker(model, images, tmp_path, "token")({"item": packed})
    lines = sorted((json.loads(line) for line in rows["line"]), key=lambda line: line["mask"])
    assert [(line["mask"], line["status"]) for line in lines] == [
        ("6.png", "done"),
        ("7.png", "failed"),
    ]
    assert rows["error"].tolist() == ["", ""]
    assert (tmp_path / "6.png").exists()


def test_a_worker_that_does_not_see_the_folder_says_so(model, images, tmp_path):
    rows = worker(model, images, tmp_path, "elsewhere")({"item": np.array([])})
    kind, text = json.loads(rows["error"][0])
    assert kind == "DataError"
    assert "all nodes share" in text


@pytest.mark.parametrize(
    ("nodes", "wants_gpu", "expected"),
    [
        ([{"CPU": 2}], False, Share(1, 2, 0)),
        ([{"CPU": 16}, {"CPU": 9}], False, Share(6, 4, 0)),
        ([{"CPU": 1}, {"CPU": 3}, {}], True, Share(4, 1, 0)),
        ([{"CPU": 16, "GPU": 8}, {"CPU": 64}], True, Share(8, 2, 1)),
        ([{"CPU": 16, "GPU": 8}], False, Share(4, 4, 0)),
        ([{"CPU": 2, "GPU": 8}], True, Share(8, 0, 1)),
    ],
)
def test_a_cluster_is_shared_out(nodes, wants_gpu, expected):
    assert shares(nodes, wants_gpu) == expected


def test_a_cluster_without_processors_is_refused():
    with pytest.raises(ConfigError, match="num-cpus"):
        shares([{"GPU": 1}], True)


def test_without_ray_it_is_said_what_to_install(model, images, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"maskwright\[distributed\]"):
        api.predict(model, images, tmp_path / "out", engine="ray")


def test_a_cluster_that_does_not_answer_is_named(model, images, tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(ConfigError, match=r"No Ray cluster answers at 127\.0\.0\.1:1 "):
        api.predict(model, images, tmp_path / "out", engine="ray", address="127.0.0.1:1")


@pytest.fixture
def cluster():
    """Two nodes on this machine, of one processor each."""
    pytest.importorskip("ray")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=node)
    made.add_node(**{**node, "include_dashboard": None})
    yield made
    made.shutdown()


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")  # Ray warns of its own settings and sockets
def test_a_killed_worker_loses_and_doubles_nothing(cluster, model, images, tmp_path, monkeypatch):
    psutil = pytest.importorskip("psutil")
    add, killed, lines = Manifest.add, [], []

    def kill_one(manifest, entry):
        lines.append(entry.mask)
        if not killed:
            children = psutil.Process().children(recursive=True)
            killed.append(next(c for c in children if "MapWorker" in " ".join(c.cmdline())))
            killed[0].send_signal(signal.SIGKILL)
        add(manifest, entry)

    monkeypatch.setattr(Manifest, "add", kill_one)
    asked = {"engine": "ray", "min_area_px": 2}
    out = tmp_path / "out"
    result = api.predict(model, images, out, address=cluster.address, **asked)
    assert killed
    assert not killed[0].is_running()
    assert sorted(lines) == sorted(f"{n}.png" for n in range(IMAGES))
    here = tmp_path / "here"
    local = Predictor.load(model).adjusted(min_area_px=2)
    expected = predict_folder(local, images, here, overlays=True)
    assert [path.name for path in result.written] == [path.name for path in expected.written]
    assert [one.image.name for one in result.failed] == ["7.png"]
    told, usual = (Manifest(folder).path.read_text().splitlines() for folder in (out, here))
    assert len(told) == IMAGES
    for one, other in zip(map(json.loads, told), map(json.loads, usual), strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    files = [path.relative_to(out) for path in sorted(out.rglob("*")) if path.is_file()]
    assert files == [path.relative_to(here) for path in sorted(here.rglob("*")) if path.is_file()]
    for name in files:
        if name.suffix != ".jsonl":
            assert (out / name).read_bytes() == (here / name).read_bytes()
    # What is done needs no cluster, and is known whoever did it.
    assert len(api.predict(model, images, here, **asked).skipped) == IMAGES - 1


@pytest.fixture(scope="module")
def discs(tmp_path_factory):
    return draw_discs(tmp_path_factory.mktemp("discs") / "data", 12, discs=2)


def train_objects(data, out):
    settings = {"encoder": "plain", "encoder_widths": (4, 8), "crop": 32, "batch_size": 4}
    return api.train(data, out, objects="centers", epochs=1, **settings).folder


def train_cases(data, out):
    settings = {"positive": "bright", "pixels": False, "batch_size": 8, "epochs": 1}
    common = {name: QUICK[name] for name in ("encoder", "encoder_widths", "size", "batch_size")}
    segmenter = api.train(data, out.with_name("segmenter"), epochs=2, **common).folder
    return api.train_regions(data, out, segmenter=str(segmenter), **settings).folder


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")  # Ray warns of its own settings and sockets
@pytest.mark.parametrize("train", [train_objects, train_cases])
def test_objects_and_cases_are_the_same_on_a_cluster(cluster, train, discs, tmp_path):
    run = train(discs, tmp_path / "run")
    images, out, here = discs / "*" / "images" / "*.png", tmp_path / "out", tmp_path / "here"
    expected = api.predict(run, images, here)
    result = api.predict(run, images, out, engine="ray", address=cluster.address)
    assert (len(result.written), len(expected.written)) == (12, 12)
    files = [path.relative_to(out) for path in sorted(out.rglob("*")) if path.is_file()]
    assert files == [path.relative_to(here) for path in sorted(here.rglob("*")) if path.is_file()]
    for name in files:
        if name.suffix != ".jsonl":
            assert (out / name).read_bytes() == (here / name).read_bytes(), name
    assert len(api.predict(run, images, here, engine="ray").skipped) == 12
