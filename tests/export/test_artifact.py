import json
import os
import zipfile

import pytest

from maskwright.errors import ModelError
from maskwright.export.artifact import is_artifact, pack, unpacked
from maskwright.export.listing import LIST_FILE, read_listing, write_listing


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "model"
    (made / "inner").mkdir(parents=True)
    (made / "model_card.json").write_text("{}")
    (made / "inner" / "weights.bin").write_bytes(os.urandom(3000))
    write_listing(made, format="onnx", made_with={"maskwright": "1"})
    return made


def archive(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for entry, content in entries:
            made.writestr(entry, content)
    return path


def test_a_folder_lists_what_it_holds(folder):
    listing = read_listing(folder)
    assert set(listing.files) == {"model_card.json", "inner/weights.bin"}
    assert (listing.format, listing.int8) == ("onnx", False)
    assert is_artifact(folder)
    assert not is_artifact(folder / "inner")


def test_one_file_is_unpacked_once(folder, tmp_path):
    file = tmp_path / "model.maskwright"
    pack(folder, file)
    assert is_artifact(file)
    first = unpacked(file)
    assert (first / "inner" / "weights.bin").read_bytes() == (
        folder / "inner" / "weights.bin"
    ).read_bytes()
    assert unpacked(file) == first
    assert unpacked(folder) == folder


def test_changed_missing_and_unlisted_files_are_refused(folder):
    weights = folder / "inner" / "weights.bin"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    with pytest.raises(ModelError, match="checksum of"):
        read_listing(folder)
    weights.unlink()
    with pytest.raises(ModelError, match=r"lacks inner/weights\.bin"):
        read_listing(folder)
    weights.write_bytes(whole)
    (folder / "more.py").write_text("print()")
    with pytest.raises(ModelError, match=r"contains more\.py, which artifact\.json does not list"):
        read_listing(folder)


def test_links_are_refused(folder, tmp_path):
    (tmp_path / "secret").write_text("key")
    (folder / "model_card.json").unlink()
    (folder / "model_card.json").symlink_to(tmp_path / "secret")
    with pytest.raises(ModelError, match=r"contains a link, model_card\.json"):
        read_listing(folder)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "C:\\x", "a//b", "./a", ""])
def test_names_that_lead_elsewhere_are_refused(folder, tmp_path, name):
    values = json.loads((folder / LIST_FILE).read_text())
    values["files"][name] = "0" * 64
    (folder / LIST_FILE).write_text(json.dumps(values))
    with pytest.raises(ModelError, match="outside its folder"):
        read_listing(folder)
    if name:
        packed = archive(tmp_path / "bad.maskwright", [(name.replace("\\", "/"), b"x")])
        with pytest.raises(ModelError):
            unpacked(packed)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "has version 2, but this Maskwright reads version 1"),
        ({"format": "pickle"}, "is not the file list of an exported model"),
        ({"files": {}}, "is not the file list of an exported model"),
        ({"run": "os.system"}, "is not the file list of an exported model"),
    ],
)
def test_other_versions_and_words_are_refused(folder, change, said):
    values = json.loads((folder / LIST_FILE).read_text()) | change
    (folder / LIST_FILE).write_text(json.dumps(values))
    with pytest.raises(ModelError, match=said):
        read_listing(folder)


def test_bombs_are_not_unpacked(tmp_path):
    bomb = archive(tmp_path / "bomb.maskwright", [("model_card.json", b"\0" * 50_000_000)])
    assert bomb.stat().st_size < 60_000
    with pytest.raises(ModelError, match="more than a model can"):
        unpacked(bomb)
    many = archive(tmp_path / "many.maskwright", [(f"{n}.bin", b"x") for n in range(600)])
    with pytest.raises(ModelError, match="contains 600 files"):
        unpacked(many)
    cut = tmp_path / "cut.maskwright"
    cut.write_bytes(bomb.read_bytes()[:-40])
    with pytest.raises(ModelError, match="cannot be unpacked"):
        unpacked(cut)


def test_links_in_archives_are_refused(tmp_path):
    link = zipfile.ZipInfo("model_card.json")
    link.external_attr = 0o120777 << 16
    with pytest.raises(ModelError, match=r"contains a link or folder, model_card\.json"):
        unpacked(archive(tmp_path / "link.maskwright", [(link, "/etc/passwd")]))
