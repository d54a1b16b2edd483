import logging
import sys

import numpy as np
import pytest
from PIL import Image

from maskwright.data import open_dataset
from maskwright.data.readers.manifest import cache_folder
from maskwright.errors import ConfigError, DataError


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
    assert dataset.root.is_relative_to(cache_folder("tensorflow"))
    assert dataset.splits == {"train": 3, "val": 1, "test": 2}
    assert {s.label for s in dataset.samples} == {"cat", "dog"}
    image, labels = dataset.read(dataset.of("test")[1])
    assert image.shape == (3, 4, 3)
    assert labels.tolist() == [[0, 1, 2, 2]] * 3
    monkeypatch.setattr(tfds, "builder", None)  # the second time it is there
    monkeypatch.chdir(tmp_path)
    assert open_dataset("tfds:tiny_pets", val_share=0.25) == dataset


@pytest.fixture
def pets(monkeypatch, tmp_path):
    """The pets of the tutorial, to be prepared below a folder of the test."""
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    published = tfds.builder
    monkeypatch.setattr(tfds, "builder", lambda name: published(name, data_dir=tmp_path / "tfds"))
    return tfds.download.DownloadManager


def test_the_data_of_the_tutorial_is_opened_from_its_two_archives(pets, monkeypatch, tmp_path):
    images, lists = tmp_path / "images" / "images", tmp_path / "annotations" / "annotations"
    trimap = np.repeat(np.uint8([[2, 3, 1, 3]]), 6, axis=0)  # 1 pet, 2 background, 3 border
    for folder in (images, lists / "trimaps", lists / "xmls"):
        folder.mkdir(parents=True)
    names = ["Abyssinian_1", "Abyssinian_2", "beagle_1", "beagle_2"]
    for name in names:
        Image.fromarray(np.repeat(trimap[..., None] * 60, 3, 2)).save(images / f"{name}.jpg")
        Image.fromarray(trimap).save(lists / "trimaps" / f"{name}.png")
    for split, members in (("trainval", names[:3]), ("test", names[3:])):
        rows = (f"{n} {1 if n[0] == 'A' else 5} {1 if n[0] == 'A' else 2} 1\n" for n in members)
        (lists / f"{split}.txt").write_text("".join(rows))
    archives = {"images": images.parent, "annotations": lists.parent}
    monkeypatch.setattr(pets, "download_and_extract", lambda self, urls: archives)
    dataset = open_dataset("tfds:oxford_iiit_pet", val_share=0)
    assert dataset.labels.names == ("pet", "background", "border")
    assert dataset.splits == {"train": 3, "test": 1}
    (beagle,) = dataset.of("test")
    assert (beagle.id, beagle.label) == ("beagle_2", "beagle")
    image, labels = dataset.read(beagle)
    assert image.shape == (6, 4, 3)
    assert labels.tolist() == [[1, 2, 0, 2]] * 6


def test_a_download_that_fails_is_one_sentence(pets, monkeypatch, caplog):
    def fail(self, urls):
        logging.getLogger("urllib3.connectionpool").warning("Retrying (Retry(total=4))")
        try:
            raise OSError("Failed to resolve the name of the host")
        except OSError as error:
            raise RuntimeError("page after page") from error

    monkeypatch.setattr(pets, "download_and_extract", fail)
    with pytest.raises(
        DataError, match=r"cannot be downloaded \(Failed to resolve the name of the"
    ):
        open_dataset("tfds:oxford_iiit_pet")
    assert not caplog.records
