"""Requests that mean no good: each gets one sentence, and nothing of the machine."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from made_up_models import all_tasks, as_file, two_squares

PNG = as_file(two_squares())


def png_of(width, height):
    """A PNG that says it has a size, and holds a row."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 300)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def tiff_of(width, height):
    """A TIFF of a pixel whose tags say that it has a size."""
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((1, 1, 3), np.uint8), photometric="rgb")
    data = file.getvalue()
    for tag, value in ((256, width), (257, height)):
        entry = struct.pack("<HHI", tag, 4, 1)
        at = data.index(struct.pack("<H", tag), 8)
        data = data[:at] + entry + struct.pack("<I", value) + data[at + 12 :]
    return data


@pytest.fixture(scope="module")
def swelling():
    """A PNG of few bytes that unpacks to hundreds of millions of pixels."""
    file = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(file, "PNG", compress_level=1)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        png_of(2**31 - 1, 2**31 - 1),
        png_of(100_000, 100_000),
        tiff_of(2**31 - 1, 2**31 - 1),
        tiff_of(100_000, 100_000),
        pytest.param(b"P6 99999 99999 255\n", id="ppm"),
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 54, 40, 60000, 60000, 1, 24, *[0] * 6),
    ],
    ids=["png", "png2", "tiff", "tiff2", "ppm", "bmp"],
)
def test_images_that_say_they_are_huge_are_refused_before_they_are_decoded(cells, data):
    answer = cells.post("/predict", files={"image": ("bomb", data)})
    assert answer.status_code in (413, 422), answer.text
    assert len(cells.records) == 1
    assert cells.records[0].seconds < 1


@pytest.mark.parametrize(
    "path", ["/predict?model=cells", "/regions?model=verdicts", "/cases?model=verdicts"]
)
def test_images_that_swell_are_refused_before_they_are_decoded(tasks, swelling, path):
    field = "images" if "cases" in path else "image"
    answer = tasks.post(path, files={field: ("bomb.png", swelling)})
    assert answer.status_code == 413
    assert "12000x12000" in answer.json()["detail"]


def test_a_limit_of_pixels_holds_for_images_and_masks(asking):
    client = asking(all_tasks(), limits={"pixels": 2000})
    answer = client.post("/predict?model=cells", files={"image": ("a.png", PNG)})
    assert answer.status_code == 413
    assert "2,000 pixels" in answer.json()["detail"]
    small = as_file(np.zeros((10, 10, 3), np.uint8))
    files = {"image": ("a.png", small), "mask": ("m.png", as_file(np.zeros((50, 50), np.uint8)))}
    assert client.post("/regions?model=verdicts", files=files).status_code == 413


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 100,
        PNG[:60],
        PNG[:-30],
        as_file(two_squares(), "JPEG")[:400],
        as_file(two_squares(), "TIFF")[:200],
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"GIF89a" + b"\xff" * 50,
        png_of(0, 0),
        b"II*\0" + b"\xff" * 40,
    ],
    ids=range(11),
)
def test_what_is_no_whole_image_is_refused(cells, data):
    answer = cells.post("/predict", files={"image": ("broken", data)})
    assert answer.status_code == 422, answer.text
    assert list(answer.json()) == ["detail", "code"]
    assert "/" not in answer.json()["detail"].replace("copy it again or", "")


@pytest.mark.parametrize(
    "name",
    ["../../../etc/passwd", "/etc/shadow", "..\\..\\boot.ini", "a\r\nSet-Cookie: x", "x" * 300],
)
def test_names_of_files_are_only_shown_and_only_their_last_part(cells, name):
    files = {"image": (name, PNG)}
    found = cells.post("/predict?output=coco", files=files).json()["images"][0]["file_name"]
    assert not set("/\\\r\n") & set(found)
    assert len(found) <= 100
    refused = cells.post("/predict", files={"image": (name, b"nothing")})
    assert "/etc" not in refused.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc/passwd",
        "/vendor/%2e%2e/%2e%2e/app.py",
        "/vendor/..%5c..%5capp.py",
        "/%00",
        "/v2/models/..%2f..%2fetc",
        "/v2/models/%2e%2e/ready",
        "/v2/models/cells/versions/..%2f1",
    ],
)
def test_paths_do_not_lead_out(cells, path):
    answer = cells.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "import" not in answer.text
    assert len(cells.records) == 1


def multipart(*lines):
    return "\r\n".join(lines).encode()


FORM = "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (None, b""),
        ("application/json", b"{}"),
        ("application/json", b'{"image": "file:///etc/passwd"}'),
        ("application/x-www-form-urlencoded", b"image=http://169.254.169.254/"),
        ("text/plain", b"hello"),
        ("multipart/form-data", b"no boundary"),
        (FORM, b""),
        (FORM, b"--b\r\n"),
        (FORM, b"--wrong\r\n\r\n--wrong--"),
        (
            FORM,
            multipart("--b", 'Content-Disposition: form-data; name="image"', "", "text", "--b--"),
        ),
        (
            FORM,
            multipart("--b", 'Content-Disposition: form-data; name="x"; filename="x"', "", "--b--"),
        ),
        (FORM, multipart("--b", "Content-Disposition: form-data", "", "", "--b--")),
        (FORM, multipart("--b", "Nonsense", "", "", "--b--")),
        (FORM, b"--b\r\n" + b"X-A: " + b"y" * 100_000),
        (FORM, multipart(*['--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'] * 2000)),
    ],
    ids=range(15),
)
def test_bodies_of_other_kinds_are_refused(cells, kind, body):
    headers = {} if kind is None else {"content-type": kind}
    answer = cells.post("/predict", content=body, headers=headers)
    assert answer.status_code in (400, 415, 422), answer.text
    assert list(answer.json()) == ["detail", "code"]
    assert isinstance(answer.json()["detail"], str)
    assert len(cells.records) == 1
    assert cells.records[0].reason
    assert "\n" not in cells.records[0].line()


def test_methods_that_are_not_there(cells):
    for method, path in (("GET", "/predict"), ("DELETE", "/health"), ("TRACE", "/"), ("PUT", "/x")):
        assert cells.request(method, path).status_code in (404, 405)
    assert len(cells.records) == 4
