from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import yaml
from page_client import client_of, draw, finished, send

from made_up_models import as_file, masks, objects, predictor, registry, squares
from maskwright.data import open_dataset
from maskwright.data.audit.audit import audit
from maskwright.imageio import read_image, read_mask


def models(names=("background", "cell")):
    return registry(masks("cells", names), objects("o"))


@pytest.fixture
def client(tmp_path):
    with client_of(models(), keep=tmp_path / "kept") as client:
        yield client


def scene(seed, dtype=np.uint8):
    """Patches of any brightness; no two look alike."""
    patches = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    image = patches.repeat(10, axis=0).repeat(10, axis=1)[: 60 - seed % 3]
    return image.astype(dtype) * (257 if dtype == np.uint16 else 1)


def keep(client, state):
    answer = client.post(f"/api/images/{state['id']}/keep")
    assert answer.status_code == 200, answer.text
    return answer.json()


def kept(client, model, image, name, kind="PNG"):
    return keep(client, finished(client, send(client, model, image, name, kind)))


def test_what_is_kept_is_a_data_set(client, tmp_path):
    sent = (
        (scene(0), "plain.png", "PNG"),
        (scene(1), "tiff.ome.TIF", "TIFF"),
        (scene(2), "..hidden", "PNG"),
        (scene(3), "größe: <1>?.PNG", "PNG"),
        (scene(4), "cell_mask.bmp", "BMP"),
        (scene(5), "ä" * 150 + ".jpeg", "JPEG"),
    )
    for number, (image, name, kind) in enumerate(sent, start=1):
        answer = kept(client, "cells", image, name, kind)
        assert (answer["folder"], answer["images"]) == ("kept/cells", number)
    folder = tmp_path / "kept" / "cells"
    dataset = open_dataset(folder)
    assert len(dataset.samples) == len(sent)
    assert dataset.labels == predictor().card.labels
    assert not dataset.skipped
    for sample in dataset.samples:
        image, mask = dataset.read(sample)
        assert image.shape[:2] == mask.shape
        np.testing.assert_array_equal(mask, predictor()(image).labels)
    assert audit(dataset).ok
    assert not list(folder.rglob(".*"))


def test_sixteen_bits_are_kept_as_they_are(client, tmp_path):
    deep = scene(7, np.uint16)
    kept(client, "cells", deep, "deep", "TIFF")
    (sample,) = open_dataset(tmp_path / "kept" / "cells").samples
    assert sample.image.name == "deep.tif"
    np.testing.assert_array_equal(read_image(sample.image), deep)


def test_an_image_replaces_itself_and_no_other(client, tmp_path):
    first = finished(client, send(client, "cells", squares((60, 80)), "a.png"))
    corrected = np.zeros((60, 80), np.uint8)
    corrected[5:9, 5:9], corrected[0] = 1, 255
    assert keep(client, first)["images"] == 1
    assert draw(client, first, corrected).status_code == 200
    assert keep(client, first)["images"] == 1
    # The same name, in other letters or with another ending, but another image.
    assert kept(client, "cells", squares((61, 80)), "A.png")["images"] == 2
    assert kept(client, "cells", squares((62, 80)), "a.tif", "TIFF")["images"] == 3
    # The same image again, under its name and with another ending.
    assert kept(client, "cells", squares((61, 80)), "a.png")["images"] == 3
    assert kept(client, "cells", squares((61, 80)), "b.jpg")["images"] == 3
    folder = tmp_path / "kept" / "cells"
    assert sorted(path.name for path in (folder / "images").iterdir()) == [
        *("A-2.png", "a-3.tif", "a.png")
    ]
    np.testing.assert_array_equal(read_mask(folder / "masks" / "a.png").values, corrected)
    dataset = open_dataset(folder)
    assert len(dataset.samples) == 3
    sample = next(sample for sample in dataset.samples if sample.image.name == "a.png")
    assert dataset.read_mask(sample)[0].tolist() == [255] * 80


def test_a_correction_is_replaced_by_another_upload_only_when_asked(client, tmp_path):
    first = finished(client, send(client, "cells", squares(), "a.png"))
    corrected = np.full((60, 80), 254, np.uint8)
    corrected[5:9, 5:9] = 1
    assert draw(client, first, corrected).status_code == 200
    keep(client, first)
    file = tmp_path / "kept" / "cells" / "masks" / "a.png"
    stored = file.read_bytes()
    again = finished(client, send(client, "cells", squares(), "again.png"))
    address = f"/api/images/{again['id']}/keep"
    refused = client.post(address)
    assert (refused.status_code, "replace=true" in refused.text) == (409, True)
    assert "already, as a.png, with another mask" in refused.json()["detail"]
    assert file.read_bytes() == stored
    told = client.post(f"{address}?replace=true").json()
    assert (told["images"], told["file"]) == (1, "a.png")
    np.testing.assert_array_equal(read_mask(file).values, predictor()(squares()).labels)
    # The first upload does not know this mask either.
    assert client.post(f"/api/images/{first['id']}/keep").status_code == 409


def test_objects_are_kept_with_their_numbers(client, tmp_path):
    kept(client, "o", squares(), "one.png")
    state = finished(client, send(client, "o", squares((61, 80)), "two.png"))
    corrected = np.zeros((61, 80), np.uint8)
    corrected[30:40, 5:9] = 1
    assert draw(client, state, corrected).status_code == 200
    keep(client, state)
    dataset = open_dataset(tmp_path / "kept" / "o")
    assert dataset.instances
    found = {sample.image.stem: dataset.read_objects(sample) for sample in dataset.samples}
    assert [len(found["one"]), len(found["two"])] == [2, 1]
    assert found["two"].boxes.tolist() == [[30, 5, 40, 9]]


def test_many_keep_at_once(client, tmp_path):
    images = [squares((60, 80 + n)) for n in range(6)]
    states = [finished(client, send(client, "cells", image, "same.png")) for image in images]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda state: keep(client, state), states + states))
    assert max(answer["images"] for answer in answers) == 6
    dataset = open_dataset(tmp_path / "kept" / "cells")
    widths = sorted(dataset.read(sample)[0].shape[1] for sample in dataset.samples)
    assert widths == [80, 81, 82, 83, 84, 85]


def test_masks_of_other_classes_are_not_mixed(client, tmp_path):
    kept(client, "cells", squares(), "a.png")
    file = tmp_path / "kept" / "cells" / "data.yaml"
    assert yaml.safe_load(file.read_text())["classes"] == ["background", "cell"]
    with client_of(models(("background", "road")), keep=tmp_path / "kept") as other:
        state = finished(other, send(other, "cells", squares()))
        answer = other.post(f"/api/images/{state['id']}/keep")
        assert answer.status_code == 422
        assert "has the classes background, cell" in answer.json()["detail"]
        assert str(tmp_path) not in answer.text


def test_a_server_may_keep_nothing(tmp_path):
    with client_of(models()) as client:
        assert not client.get("/api/models").json()[0]["keep"]
        state = finished(client, send(client, "cells", squares()))
        answer = client.post(f"/api/images/{state['id']}/keep")
        assert answer.status_code == 404
        assert "--keep" in answer.json()["detail"]
    blocked = tmp_path / "file"
    blocked.write_bytes(as_file(squares()))
    with client_of(models(), keep=blocked) as client:
        state = finished(client, send(client, "cells", squares()))
        answer = client.post(f"/api/images/{state['id']}/keep")
        assert answer.status_code == 422
        assert "cannot be kept" in answer.json()["detail"]
        assert str(tmp_path) not in answer.text
