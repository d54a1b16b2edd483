import sys

import numpy as np
import pytest

from maskwright.data import open_dataset
from maskwright.data.readers.manifest import cache_folder
from maskwright.errors import ConfigError


def test_without_the_extra_one_sentence_names_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ConfigError, match=r"pip install maskwright\[tfds\]"):
        open_dataset("tfds:anything")


def test_a_data_set_is_written_once_and_opened_like_a_folder(monkeypatch, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")

    class TinyPets(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {
                "image": tfds.features.Image(shape=(None, None, 3)),
                "segmentation_mask": tfds.features.Image(shape=(None, None, 1), use_colormap=True),
                "label": tfds.features.ClassLabel(names=["cat", "dog"]),
                "file_name": tfds.features.Text(),
            }
            features = tfds.features.FeaturesDict(features)
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(4), "test": self._generate_examples(2)}

        def _generate_examples(self, count):
            for number in range(count):
                yield (
                    number,
                    {
                        "image": np.full((3, 4, 3), number, np.uint8),
                        "segmentation_mask": np.array([[[1], [2], [3], [3]]] * 3, np.uint8),
                        "label": number % 2,
                        "file_name": f"pet {number}.jpg",
                    },
                )

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    builder = TinyPets(data_dir=str(tmp_path / "tfds"))
    monkeypatch.setattr(tfds, "builder", lambda name: builder)
    dataset = open_dataset("tfds:tiny_pets", val_share=0.25)
    assert dataset.root == cache_folder("tfds") / "tiny_pets"
    assert dataset.splits == {"train": 3, "val": 1, "test": 2}
    assert {s.label for s in dataset.samples} == {"cat", "dog"}
    image, labels = dataset.read(dataset.of("test")[1])
    assert image.shape == (3, 4, 3)
    assert labels.tolist() == [[0, 1, 2, 2]] * 3
    monkeypatch.setattr(tfds, "builder", None)  # the second time it is there
    assert open_dataset("tfds:tiny_pets", val_share=0.25) == dataset
