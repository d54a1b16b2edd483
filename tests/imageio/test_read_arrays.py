import io
import zipfile

import numpy as np
import pytest

from maskwright.config import TrainConfig, read_config
from maskwright.errors import ConfigError, DataError, ModelError, TrainingError
from maskwright.imageio import read_arrays
from maskwright.labels import Labels
from maskwright.training.run import Run

ARRAYS = {"b": np.arange(6.0).reshape(2, 3), "a": np.array(3, np.int16)}


def packed(entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_by_name(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == ["a", "b"]
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


VALID = npy(ARRAYS["b"])
DAMAGED = {
    "no archive": b"nothing",
    "cut off": packed({"b.npy": VALID})[:-30],
    "no array": packed({"b.npy": b"text"}),
    "other shape": packed({"b.npy": VALID.replace(b"(2, 3)", b"(9, 3)")}),
    "half a header": packed({"b.npy": VALID.replace(b"}", b"{")}),
    "flipped bit": packed({"b.npy": VALID}).replace(VALID, VALID[:-1] + b"\1"),
    "objects": packed({"b.npy": npy(np.array([{}]), allow_pickle=True)}),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("error", [DataError, ModelError])
def test_damaged_arrays_are_one_sentence(tmp_path, content, error):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(error, match=r"The file .*a\.npz cannot be read"):
        read_arrays(path, error)


def test_terabytes_are_not_taken(tmp_path):
    path = tmp_path / "a.npz"
    header = VALID.replace(b"(2, 3), }         ", b"(99999, 99999999)}")
    assert header != VALID
    path.write_bytes(packed({"b.npy": header}))
    with pytest.raises(DataError, match=r"declares float64 of the shape \(99999, 99999999\)"):
        read_arrays(path)


def test_damaged_files_of_a_run_are_one_sentence(tmp_path):
    run = Run(tmp_path)
    for content in (b"\xff\xfe", b"- a", b"a: [", b"[" * 5000):
        run.settings_file.write_bytes(content)
        with pytest.raises(TrainingError, match=r"plan\.yaml cannot be read"):
            run.read_settings()
        with pytest.raises(ConfigError):
            read_config(run.settings_file, {}, TrainConfig)
    with pytest.raises(TrainingError, match=r"environment\.json cannot be read"):
        run.read_environment()


def test_names_of_classes_are_text():
    with pytest.raises(DataError, match="text as the name of each class; received None"):
        Labels.from_dict({"names": ["a", None], "colors": ["#000000", "#FFFFFF"]})
