"""Files that are made to take memory, time or other files: refused before anything is decoded."""

import io
import resource
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from maskwright.errors import DataError, TooLargeError
from maskwright.imageio import NamedBytes, read_header, read_image, read_mask
from maskwright.imageio.windows import image_size, open_windows

pytestmark = pytest.mark.timeout(60)  # where it decoded what it should refuse, hours


@pytest.fixture(autouse=True)
def cheap():
    """Each test takes less than 200 MB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def directory(tags, after=0):
    """Directory of a classic TIFF, of tags with one value each."""
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items())
    )
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", after)


def gray_tiff(tags=None, second=b"", data=b""):
    """TIFF of 4x4 gray pixels at 8, with a second directory behind the first."""
    usual = {256: 4, 257: 4, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 4, 279: 16} | (tags or {})
    data = data or bytes(16)
    first = directory(usual)
    place = 8 + len(data)
    first = directory(usual, place + len(first) if second else 0)
    return b"II*\0" + struct.pack("<I", place) + data + first + second


def refused(data, match):
    for read in (read_header, read_image, read_mask):
        with pytest.raises(DataError, match=match):
            read(NamedBytes("a.tif", data))


def test_lists_of_directories_that_do_not_end():
    assert read_image(NamedBytes("a.tif", gray_tiff())).shape == (4, 4, 1)
    place = len(gray_tiff())
    itself = struct.pack("<HI", 0, place)  # without entries, and followed by itself
    refused(gray_tiff(second=itself), "leads back into itself")
    first = len(gray_tiff()) - len(directory(dict.fromkeys(range(9), 0)))
    refused(gray_tiff(second=directory({256: 4}, first)), "leads back into itself")
    chain = b"".join(directory({256: 4}, place + 18 * (n + 1)) for n in range(10_000))
    refused(gray_tiff(second=chain), "more than 10,000 pictures")


@pytest.mark.parametrize(
    ("tags", "match"),
    [
        ({322: 50_000, 323: 50_000, 259: 8}, "parts of 50000x50000"),
        ({322: 16, 323: 2**31}, "parts of 2147483648x16"),
        ({279: 2**31}, "are no tile or strip"),
        ({273: 2**31}, "are no tile or strip"),
        ({258: 63}, "63 bits"),
        ({256: 16_384, 257: 16_384, 278: 1}, "too few for the 268,435,456 samples"),
        ({256: 2**31, 257: 2**31}, "more than the limit"),
        ({277: 60_000, 256: 300, 257: 300}, "more than the limit|too few"),
    ],
)
def test_tiffs_that_declare_what_cannot_be(tags, match):
    refused(gray_tiff(tags), match)


def test_a_large_image_of_nothing_but_holes(tmp_path):
    path = tmp_path / "sparse.tif"
    side = 2**17
    tags = {256: side, 257: side, 322: 4096, 323: 4096, 324: 0, 325: 0}
    path.write_bytes(gray_tiff(tags) + bytes(8000))
    with pytest.raises(TooLargeError, match="too few for the 17,179,869,184 samples"):
        image_size(path)
    with pytest.raises(TooLargeError, match="too few"), open_windows(path):
        pass


def test_a_tile_that_holds_a_larger_image():
    file = io.BytesIO()
    tile = np.zeros((64, 64, 3), np.uint8)
    tifffile.imwrite(file, tile, tile=(64, 64), photometric="rgb", compression="jpeg")
    data = file.getvalue()
    assert read_image(NamedBytes("a.tif", data)).shape == (64, 64, 3)
    frame = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 64, 64)
    assert data.count(frame) == 1
    swollen = data.replace(frame, frame[:5] + struct.pack(">HH", 65_000, 65_000))
    with pytest.raises(DataError, match="of 65000x65000 pixels where 4,096 pixels"):
        read_image(NamedBytes("a.tif", swollen))


def test_planes_that_an_ome_tiff_only_declares():
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((3, 8, 8), np.uint8), ome=True, metadata={"axes": "CYX"})
    data = file.getvalue()
    assert read_image(NamedBytes("a.tif", data)).shape == (8, 8, 3)
    sizes = b'SizeZ="1" SizeT="1"'
    assert data.count(sizes) == 1
    many = data.replace(sizes, b'SizeT="999999999"  ')
    refused(many, "declares 2,999,999,997 planes")


def png(width, height, data, *late):
    def chunk(kind, content):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", data), *late, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def test_the_header_of_a_png_is_read_without_its_pixels(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(40_000, 40_000, bytes(194_000)))
    with pytest.raises(TooLargeError, match="40000x40000"):
        read_header(path)
    assert image_size(path) == (40_000, 40_000)
    with pytest.raises(DataError, match="limited to 268,435,456 pixels"), open_windows(path):
        pass


def test_the_orientation_may_follow_the_pixels_of_a_png(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    data = zlib.compress(b"\0\1\2\3")
    upright = NamedBytes("a.png", png(3, 1, data, (b"eXIf", exif.tobytes()[6:])))
    assert read_header(upright).orientation == 6
    np.testing.assert_array_equal(read_image(upright)[..., 0], [[1], [2], [3]])


def test_no_flipped_bit_of_a_png_is_read_as_other_pixels():
    labels = np.random.default_rng(0).integers(0, 3, (24, 24), dtype=np.uint8)
    picture = Image.fromarray(labels)
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    for image, read in ((Image.fromarray(labels), read_image), (picture, read_mask)):
        file = io.BytesIO()
        image.save(file, "png")
        data = file.getvalue()
        assert read(NamedBytes("a.png", data)) is not None
        for bit in range(8 * 8, 8 * len(data), 7):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(DataError):
                read(NamedBytes("a.png", bytes(flipped)))


@pytest.mark.parametrize("name", ["a.eps", "a.png", "a.jpg"])
def test_postscript_starts_no_program(tmp_path, monkeypatch, name):
    def start(*arguments, **options):
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.check_call", start)
    monkeypatch.setattr("subprocess.Popen", start)
    path = tmp_path / name
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(DataError, match="not an image in a supported format"):
        read_image(path)


def test_a_file_that_memory_does_not_hold_is_an_error_of_the_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(png(3, 1, zlib.compress(b"\0\1\2\3")))

    def full(*arguments):
        raise MemoryError

    monkeypatch.setattr("maskwright.imageio.read.decode", full)
    with pytest.raises(TooLargeError, match=r"a\.png needs more memory"):
        read_image(path)
