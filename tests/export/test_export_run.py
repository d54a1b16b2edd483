"""Every format: written, opened in its engine, and equal to the run it was made from."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import maskwright
from maskwright.data.synthetic.datasets import write_dataset
from maskwright.errors import ConfigError, ModelError
from maskwright.export import engine_cache as prepared
from maskwright.export import int8
from maskwright.export.export_task import ParityLimits
from maskwright.export.formats.table import FORMATS
from maskwright.export.listing import read_listing, write_listing, written_digest
from maskwright.imageio import lock_folder
from maskwright.inference.predictor import Predictor
from maskwright.model_card import SemanticCard, checksum
from maskwright.serving import open_models
from maskwright.types import Format

ENGINES = {"onnx": "onnxruntime", "openvino": "openvino", "litert": "ai_edge_litert"}
WITHOUT_TENSORFLOW = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from maskwright.cli import main
sys.argv[0] = "maskwright"
main()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory, as_written):
    """Drawn images, and a run that learned from them for an epoch."""
    folder = tmp_path_factory.mktemp("export")
    write_dataset(folder / "data", num_images=8, size=64, seed=0)
    with as_written():
        maskwright.train(
            folder / "data",
            folder / "run",
            encoder="plain",
            encoder_weights=None,
            encoder_widths=(4, 8, 8, 8),
            decoder="unet",
            deep_supervision=0.4,
            size=64,
            batch_size=4,
            epochs=1,
            previews=0,
        )
    return folder


@pytest.fixture(scope="module")
def exported(made):
    """Function from a format to the artifact of the run in it, which is made once."""

    @cache
    def export(format):
        if format in ENGINES:
            pytest.importorskip(ENGINES[format])
        if format == "onnx":
            pytest.importorskip("tf2onnx")
        out = made / format
        parity = maskwright.export_model(
            made / "run", out, format=format, data=made / "data"
        ).parity
        assert parity.agreement >= 0.999
        assert parity.against == "masks"
        assert len(parity.sizes) >= 2
        return out

    return export


# Writing LiteRT takes longest; tests/export/test_export_tasks.py reads and writes it all the same.
SLOW = {"litert": pytest.mark.slow}


def test_the_table_has_a_row_for_every_format():
    assert tuple(FORMATS) == get_args(Format)


@pytest.fixture(params=[pytest.param(name, marks=SLOW.get(name, ())) for name in FORMATS])
def artifact(request, exported):
    """An artifact of every format."""
    return exported(request.param)


@pytest.fixture(scope="module")
def drawn(made):
    """An image, and what the run says of it."""
    image = np.random.default_rng(0).integers(0, 256, (75, 51, 3), np.uint8)
    return image, Predictor.load(made / "run")(image, probabilities=True).probabilities


def test_an_artifact_draws_what_its_run_draws(artifact, drawn):
    image, ours = drawn
    theirs = maskwright.load(artifact, allow_code=True)(image, probabilities=True).probabilities
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    listing = json.loads((artifact / "artifact.json").read_text())
    assert listing["made_with"]["maskwright"] == maskwright.__version__
    assert listing["parity"]["difference"] < 1e-5


def test_code_is_run_of_nobody_who_was_not_allowed_to(exported, made, tmp_path):
    folder, out = exported("savedmodel"), tmp_path / "masks"
    images = next((made / "data").rglob("*.png")).parent
    said = r"saved_model can run code.*--allow-code"
    for start in (
        partial(maskwright.load, folder),
        partial(maskwright.predict, folder, images, out),
        partial(maskwright.evaluate, folder, made / "data", out=out, split="val"),
        partial(open_models, [str(folder)]),
    ):
        with pytest.raises(ModelError, match=said):
            start()
    assert not list(out.rglob("*.png"))
    result = maskwright.predict(folder, images, out, overlays=False, allow_code=True)
    assert result.written
    evaluated = {"examples": 0, "allow_code": True}
    maskwright.evaluate(folder, made / "data", out=out / "e", split="val", **evaluated)
    assert list(open_models([str(folder)], allow_code=True))


def test_what_a_killed_export_left_is_removed_by_the_next(made, tmp_path):
    left, others = tmp_path / ".m.maskwright.abcd0123", tmp_path / ".n.maskwright.abcd0123"
    held = tmp_path / ".m.maskwright.01234567"
    for folder in (left, others, held):
        folder.mkdir()
        (folder / "weights.npz").write_bytes(b"half")
    (tmp_path / ".m.0123abcd.maskwright").write_bytes(b"half")
    with lock_folder(held):  # an export under way
        maskwright.export_model(made / "run", tmp_path / "m.maskwright", format="keras")
    assert {path.name for path in tmp_path.iterdir()} == {"m.maskwright", others.name, held.name}


def test_predict_needs_no_more_than_the_engine(artifact, made, tmp_path):
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, "predict"]
    images = next((made / "data").rglob("*.png")).parent
    arguments = [artifact, images, "-o", tmp_path / "masks", "--no-overlays", "--allow-code"]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if artifact.name in ENGINES:
        assert done.returncode == 0, done.stderr
        assert list((tmp_path / "masks").rglob("*.png"))
    else:
        assert done.returncode != 0
        assert "tensorflow" in done.stderr.lower()


def test_one_file_holds_it_all(made, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = tmp_path / "model.maskwright"
    maskwright.export_model(made / "run", out, format="keras")
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    assert list(tmp_path.iterdir()) == [out]
    labels = [maskwright.load(path)(image).labels for path in (made / "run", out)]
    np.testing.assert_array_equal(*labels)


def test_nothing_is_overwritten_and_nothing_half_written(made, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(ConfigError, match="already exists"):
        maskwright.export_model(made / "run", tmp_path / "there", format="keras")
    with pytest.raises(ConfigError, match="Expected a format of keras, savedmodel"):
        maskwright.export_model(made / "run", tmp_path / "other", format="coreml")
    run = Path(shutil.copytree(made / "run", tmp_path / "old"))
    (run / "network.json").unlink()
    with pytest.raises(ModelError, match="train it again to export it"):
        maskwright.export_model(run, tmp_path / "other", format="keras")
    assert {path.name for path in tmp_path.iterdir()} == {"there", "old"}


@pytest.mark.parametrize(
    "engine",
    ["onnx", *(pytest.param(name, marks=pytest.mark.slow) for name in ("openvino", "litert"))],
)
def test_eight_bits_draw_nearly_the_same(engine, made, drawn, tmp_path):
    pytest.importorskip(ENGINES[engine])
    pytest.importorskip("tf2onnx")
    out, data = tmp_path / "int8", made / "data"
    export = maskwright.export_model(made / "run", out, format=engine, data=data, int8=True)
    assert export.listing.int8
    assert export.parity.dice_change >= -0.005
    image, ours = drawn
    theirs = maskwright.load(out)(image, probabilities=True).probabilities
    assert 0 < np.abs(ours - theirs).max() < 0.2


def test_eight_bits_are_refused_where_dice_falls(made, tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx")
    # As if every network of eight bits lost more than is allowed.
    monkeypatch.setattr(int8.write_int8, "__defaults__", (ParityLimits(1, 0, -2),))
    out = tmp_path / "int8"
    with pytest.raises(ModelError, match=r"and 4 of 8 groups of layers in float by .*Conv"):
        maskwright.export_model(made / "run", out, format="onnx", data=made / "data", int8=True)
    assert not list(tmp_path.iterdir())


def test_eight_bits_need_images_and_an_engine_for_them(made, tmp_path):
    for wrong in ({"format": "onnx"}, {"format": "keras", "data": made / "data"}):
        with pytest.raises(ConfigError, match="Eight bits need a format of onnx, openvino"):
            maskwright.export_model(made / "run", tmp_path / "int8", int8=True, **wrong)


def test_many_images_have_a_run_prepared_once(made, tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx")
    # OpenVINO takes long to write.
    monkeypatch.setitem(FORMATS, "openvino", replace(FORMATS["openvino"], prepared=False))
    run = Path(shutil.copytree(made / "run", tmp_path / "run"))
    image = next((made / "data").rglob("*.png"))
    for number in range(16):
        shutil.copy(image, tmp_path / f"{number}.png")
    maskwright.predict(run, tmp_path / "*.png", tmp_path / "first", overlays=False)
    assert read_listing(run / "prepared").format == "onnx"
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, "predict", run, image, "-o"]
    done = subprocess.run(
        [*map(str, command), str(tmp_path / "second")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # Another model in the run, and what was prepared is of no use.
    card = json.loads((run / "model_card.json").read_text())
    (run / "model.keras").write_bytes((run / "model.keras").read_bytes() + b" ")
    (run / "model_card.json").write_text(
        json.dumps({**card, "model_sha256": checksum(run / "model.keras")})
    )
    assert prepared.open_prepared(run) is None


@pytest.fixture
def forged_onnx(exported, tmp_path):
    """An artifact of ONNX, and what makes card and list fit once its network was changed."""
    onnx = pytest.importorskip("onnx")
    out = Path(shutil.copytree(exported("onnx"), tmp_path / "onnx"))
    network = onnx.load(out / "model.onnx")

    def forge(content, name="model.onnx"):
        (out / name).write_bytes(content)
        card = json.loads((out / "model_card.json").read_text())
        forged_card = {**card, "model_sha256": checksum(out / name)}
        changed(out, "model_card.json", lambda _: json.dumps(forged_card))
        return out

    return network, forge


@pytest.mark.parametrize("place", ["..", ".", "/"])
@pytest.mark.parametrize("reverse", [False, True])
def test_arrays_in_other_files_are_refused(forged_onnx, tmp_path, monkeypatch, place, reverse):
    network, forge = forged_onnx
    monkeypatch.chdir(tmp_path)
    from onnx import numpy_helper

    array = max(network.graph.initializer, key=lambda array: np.prod(array.dims))
    location = {"/": str(tmp_path / "elsewhere")}.get(place, f"{place}/elsewhere")
    numpy_helper.to_array(array).tofile(tmp_path / "elsewhere")
    array.ClearField("raw_data")
    array.ClearField("float_data")
    array.data_location = 1  # external
    array.external_data.add(key="location", value=location)
    content = network.SerializeToString()
    if reverse:  # the value of the entry before its key: the same to all who parse it
        key, value = b"\x0a\x08location", b"\x12" + bytes([len(location)]) + location.encode()
        assert key + value in content
        content = content.replace(key + value, value + key)
    with pytest.raises(ModelError, match=r"model\.onnx cannot be loaded .*External data"):
        Predictor.load(forge(content))


def test_a_network_that_gives_no_numbers_is_refused(forged_onnx):
    network, forge = forged_onnx
    from onnx import numpy_helper

    for array in network.graph.initializer:
        if array.data_type == 1 and len(array.dims) == 4:  # weights of convolutions
            nothing = np.full(tuple(array.dims), np.nan, np.float32)
            array.CopyFrom(numpy_helper.from_array(nothing, array.name))
    with pytest.raises(ModelError, match="are not finite for the image of its self-test"):
        Predictor.load(forge(network.SerializeToString()))


def test_an_artifact_of_openvino_holds_a_network_of_openvino(forged_onnx, exported, tmp_path):
    pytest.importorskip("openvino")
    network, _ = forged_onnx
    out = Path(shutil.copytree(exported("openvino"), tmp_path / "openvino"))
    (out / "model.xml").write_bytes(network.SerializeToString())
    changed(out, "model_card.json", lambda text: text)
    card = SemanticCard.read(out / "model_card.json")
    replace(card, model_sha256=written_digest(out)).write(out / "model_card.json")
    changed(out, "model_card.json", lambda text: text)
    with pytest.raises(ModelError, match=r"model\.xml is no network of OpenVINO"):
        Predictor.load(out)


def changed(folder, name, change):
    """The artifact with a file changed, and card and list that fit it: what a forger would send."""
    path = folder / name
    path.write_text(change(path.read_text()))
    if name != "model_card.json":
        card = folder / "model_card.json"
        replace(SemanticCard.read(card), model_sha256=written_digest(folder)).write(card)
    listing = read_listing_unchecked(folder)
    write_listing(folder, **{k: v for k, v in listing.items() if k not in ("files", "version")})


def read_listing_unchecked(folder):
    return json.loads((folder / "artifact.json").read_text())


@pytest.fixture
def forged(exported, tmp_path):
    return Path(shutil.copytree(exported("keras"), tmp_path / "forged"))


def test_a_network_beyond_all_measure_is_refused_before_it_is_built(forged):
    changed(forged, "network.json", lambda text: text.replace("4,", "10000000000,", 1))
    with pytest.raises(ModelError, match="up to 8,192; received 10,000,000,000"):
        Predictor.load(forged)


def test_a_file_cannot_name_code(forged):
    changed(forged, "network.json", lambda text: text.replace('"segmenter"', '"os.system"'))
    with pytest.raises(ModelError, match="Expected a network of segmenter"):
        Predictor.load(forged)


def test_weights_of_another_network_are_refused(forged):
    changed(forged, "network.json", lambda text: text.replace('"unet"', '"light"'))
    with pytest.raises(ModelError, match="do not match the"):
        Predictor.load(forged)


def test_truncated_weights_are_refused(forged):
    path = forged / "weights.npz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match="checksum of"):
        Predictor.load(forged)


def test_the_card_of_another_model_is_refused(forged, made):
    card = json.loads((forged / "model_card.json").read_text())
    card["model_sha256"] = "0" * 64
    changed(forged, "model_card.json", lambda _: json.dumps(card))
    with pytest.raises(ModelError, match="belongs to another model"):
        Predictor.load(forged)
    assert read_listing(forged).format == "keras"
