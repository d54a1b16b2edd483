import csv
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from maskwright.data.readers.tables import read_rows
from maskwright.errors import DataError
from maskwright.imageio import (
    atomic_write,
    find_images,
    plain_cell,
    read_header,
    read_image,
    read_mask,
    write_image,
    write_mask,
    write_table,
)

GRAY = np.array([[0, 50, 100], [150, 200, 250]], np.uint8)
COLORS = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


def tiff(path, pixels, **options):
    tifffile.imwrite(path, pixels, **options)
    return path


def saved(path, pixels, mode=None, **options):
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3)])
def test_sixteen_bits_survive_a_png(tmp_path, shape):
    pixels = (np.arange(np.prod(shape)) * 3001 % 65536).astype(np.uint16).reshape(shape)
    write_image(tmp_path / "deep.png", pixels)
    assert read_header(tmp_path / "deep.png").dtype == "uint16"
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), pixels.reshape(2, 3, -1))


@pytest.mark.parametrize(
    ("axes", "options"),
    [
        ((0, 1, 2), {"planarconfig": "contig", "photometric": "minisblack"}),
        ((2, 0, 1), {"planarconfig": "separate", "photometric": "minisblack"}),
        ((2, 0, 1), {}),  # pages
        ((0, 1, 2), {}),  # pages, mistaken: five columns in each of eight pages
    ],
)
def test_five_channels_of_a_tiff_come_last(tmp_path, axes, options):
    pixels = np.arange(8 * 9 * 5, dtype=np.uint16).reshape(8, 9, 5)
    path = tiff(tmp_path / "five.tif", pixels.transpose(axes), **options)
    header = read_header(path)
    assert (header.height, header.width, header.channels, header.dtype) == (8, 9, 5, "uint16")
    np.testing.assert_array_equal(read_image(path), pixels)


def test_other_numbers_become_float32(tmp_path):
    for dtype in (np.float64, np.int16, np.uint32, np.float16):
        image = read_image(tiff(tmp_path / "x.tif", GRAY.astype(dtype)))
        assert image.dtype == np.float32
        np.testing.assert_array_equal(image[..., 0], GRAY)


def test_one_bit_of_tiff_is_seen_in_images_and_counted_in_masks(tmp_path):
    path = tiff(tmp_path / "x.tif", GRAY > 100)  # tifffile says that white is zero
    assert read_image(path)[:, 0, 0].tolist() == [255, 0]
    assert read_mask(path).values[:, 0].tolist() == [0, 255]


def test_a_stack_of_pictures_is_refused(tmp_path):
    path = tiff(
        tmp_path / "z.tif", np.zeros((4, 8, 8), np.uint8), imagej=True, metadata={"axes": "ZYX"}
    )
    with pytest.raises(DataError, match="stack of images"):
        read_image(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_as_pillow_does(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    path = saved(tmp_path / "x.png", COLORS, exif=exif)
    from PIL import ImageOps

    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    np.testing.assert_array_equal(read_image(path), expected)
    header = read_header(path)
    assert (header.height, header.width) == expected.shape[:2]
    np.testing.assert_array_equal(read_mask(path).values, expected)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_the_header_of_a_png_is_read_without_its_pixels(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    whole = saved(tmp_path / "x.png", COLORS).read_bytes()
    signature_and_ihdr = whole[:33]
    late = chunk(b"eXIf", exif.tobytes()[6:])
    no_pixels = chunk(b"IDAT", b"not compressed") + late + chunk(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(signature_and_ihdr + no_pixels)
    header = read_header(tmp_path / "x.png")
    assert (header.height, header.width, header.orientation) == (3, 2, 6)
    with pytest.raises(DataError, match="damaged"):
        read_image(tmp_path / "x.png")


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_is_decoded_as_pillow_does_and_refused_where_it_is_cut(tmp_path, mode):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)
    path = saved(tmp_path / "x.jpg", pixels, mode)
    expected = np.asarray(Image.open(path).convert("L" if mode == "L" else "RGB"))
    np.testing.assert_array_equal(read_image(path), expected.reshape(40, 30, -1))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="truncated"):
        read_image(path)


def test_interlaced_pixels_of_a_png_are_read(tmp_path):
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
    passes = [COLORS[y::dy, x::dx] for x, y, dx, dy in (*passes, (0, 1, 1, 2))]
    rows = b"".join(b"\0" + row.tobytes() for pixels in passes if pixels.size for row in pixels)
    ihdr = chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 1))
    idat = chunk(b"IDAT", zlib.compress(rows))
    path = tmp_path / "x.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + ihdr + idat + chunk(b"IEND", b""))
    np.testing.assert_array_equal(read_image(path), COLORS)


def test_a_photo_that_is_cut_out_is_a_mask_of_two_classes(tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (40, 40, 4), np.uint8)
    photo[..., 3] = np.where(np.arange(40) < 15, 255, 0)
    photo[:5, :5, :3] = 0  # what is black there is of the object too
    Image.fromarray(photo).save(tmp_path / "cut.png")
    assert np.array_equal(read_mask(tmp_path / "cut.png").values, photo[..., 3])
    photo[..., :3] = np.where(np.arange(40) < 8, 200, 40)[:, None]  # two classes, on nothing
    Image.fromarray(photo).save(tmp_path / "classes.png")
    assert set(np.unique(read_mask(tmp_path / "classes.png").values)) == {0, 40, 200}


def test_smooth_alpha_of_a_mask_darkens_its_edges(tmp_path):
    alpha = np.repeat([[0, 10, 60, 120, 180, 240]], 2, axis=0).astype(np.uint8)
    color = np.full((2, 6, 3), (200, 100, 0), np.uint8)
    path = saved(tmp_path / "soft.png", np.dstack([color, alpha]))
    expected = np.round(color * (alpha / 240)[..., None])  # 240 is opaque here
    np.testing.assert_array_equal(read_mask(path).values, expected)
    alpha = np.minimum(alpha, 60)  # few values: an overlay, whose colors count
    path = saved(tmp_path / "overlay.png", np.dstack([color, alpha]))
    np.testing.assert_array_equal(read_mask(path).values, color * (alpha > 0)[..., None])


def test_alpha_is_dropped(tmp_path):
    pixels = np.dstack([COLORS, GRAY])
    for name in ("x.png", "x.webp"):
        options = {"lossless": True, "exact": True} if name == "x.webp" else {}
        np.testing.assert_array_equal(read_image(saved(tmp_path / name, pixels, **options)), COLORS)
    path = saved(tmp_path / "la.png", np.dstack([GRAY, GRAY // 2]))
    np.testing.assert_array_equal(read_image(path), GRAY[..., None])


def test_a_palette_gives_colors_to_images_and_indices_to_masks(tmp_path):
    palette = [(0, 0, 0), (128, 0, 0), (0, 128, 0)]
    labels = np.array([[0, 1, 2], [2, 1, 0]])
    for suffix in (".png", ".gif", ".tif"):
        path = tmp_path / f"x{suffix}"
        if suffix == ".tif":
            table = np.zeros((3, 256), np.uint16)
            table[:, :3] = np.array(palette).T * 257
            tiff(path, labels.astype(np.uint8), photometric="palette", colormap=table)
        else:
            write_mask(tmp_path / "x.png", labels, palette)
            Image.open(tmp_path / "x.png").save(path)
        mask = read_mask(path)
        np.testing.assert_array_equal(mask.values, labels)
        assert mask.palette[:3].tolist() == [list(color) for color in palette]
        assert read_image(path)[0, :, :].tolist() == [list(color) for color in palette]


def test_masks_hold_what_the_file_holds(tmp_path):
    bits = np.array([[True, False]])
    assert read_mask(saved(tmp_path / "b.png", bits)).values.tolist() == [[255, 0]]
    gray = np.dstack([GRAY] * 3 + [np.full_like(GRAY, 255)])
    np.testing.assert_array_equal(read_mask(saved(tmp_path / "g.png", gray)).values, GRAY)
    cut_out = np.dstack([np.full_like(COLORS, 255), np.uint8([[0, 0, 1], [0, 255, 255]])])
    assert read_mask(saved(tmp_path / "c.png", cut_out)).values.tolist() == [
        [0, 0, 255],
        [0, 255, 255],
    ]
    deep = np.array([[0, 300]])
    write_mask(tmp_path / "d.png", deep)
    np.testing.assert_array_equal(read_mask(tmp_path / "d.png").values, deep)
    # Four bits of gray, as label tools that save space write: 3 and 11 in one byte.
    rows = zlib.compress(b"\0" + bytes([3 << 4 | 11]))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0)),
        (b"IDAT", rows),
        (b"IEND", b""),
    )
    (tmp_path / "n.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d))
            for n, d in parts
        )
    )
    assert read_mask(tmp_path / "n.png").values.tolist() == [[3, 11]]


def test_jpeg_and_fractional_masks_are_refused(tmp_path):
    saved(tmp_path / "m.jpg", GRAY).rename(tmp_path / "m.png")
    with pytest.raises(DataError, match="JPEG"):
        read_mask(tmp_path / "m.png")
    with pytest.raises(DataError, match="fractions"):
        read_mask(tiff(tmp_path / "m.tif", GRAY / 7))


def test_a_bomb_is_refused_before_decoding(tmp_path):
    bits = Image.new("1", (40_000, 40_000))
    bits.save(tmp_path / "bomb.png")
    bits.close()
    for read in (read_header, read_image, read_mask):
        with pytest.raises(DataError, match="40000x40000"):
            read(tmp_path / "bomb.png")
    saved(tmp_path / "small.png", GRAY)
    with pytest.raises(DataError, match="more than the limit of 5 pixels"):
        read_image(tmp_path / "small.png", max_pixels=5)


def test_bad_files_each_get_their_sentence(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = {
        "jpg": saved(tmp_path / "a.jpg", noise),
        "png": saved(tmp_path / "a.png", noise),
        "deep": tmp_path / "deep.png",
        "tif": tiff(tmp_path / "a.tif", noise, compression="zlib"),
    }
    write_image(whole["deep"], noise.astype(np.uint16) * 257)
    for path in whole.values():
        half = tmp_path / f"half_{path.name}"
        half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(DataError, match=f"{half.name} is damaged or incomplete"):
            read_image(half)
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "lfs.png").write_text("version https://git-lfs.github.com/spec/v1\n")
    for name, reason in (
        ("text.png", "not an image"),
        ("empty.png", "empty"),
        ("lfs.png", "git lfs pull"),
        ("absent.png", "does not exist"),
    ):
        with pytest.raises(DataError, match=reason):
            read_image(tmp_path / name)


def test_one_pixel_is_an_image(tmp_path):
    assert read_image(saved(tmp_path / "x.png", GRAY[:1, :1])).shape == (1, 1, 1)
    assert read_image(
        tiff(tmp_path / "x.tif", np.zeros((1, 1, 4), np.uint16), photometric="rgb")
    ).shape == (1, 1, 3)


def test_float_images_and_many_channels_are_written_as_tiff(tmp_path):
    for shape in ((2, 3, 3), (2, 3, 1), (2, 3, 7)):
        pixels = np.linspace(-1, 1, np.prod(shape), dtype=np.float32).reshape(shape)
        write_image(tmp_path / "x.tif", pixels)
        np.testing.assert_array_equal(read_image(tmp_path / "x.tif"), pixels)
    with pytest.raises(DataError, match=r"use the suffix \.tif"):
        write_image(tmp_path / "x.png", pixels)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), atomic_write(path) as beside:
        beside.write_text("half\ud800", encoding="utf-8")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_images_are_found_in_natural_order(tmp_path):
    for name in ("b/c.tif", "x10.PNG", "x2.png", ".hidden.png", "._x2.png", "notes.txt", "ä b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [p.relative_to(tmp_path).as_posix() for p in find_images(tmp_path)]
    assert names == ["x2.png", "x10.PNG", "ä b.jpg", "b/c.tif"]
    assert [p.name for p in find_images(str(tmp_path / "x*"))] == ["x2.png", "x10.PNG"]
    assert find_images(tmp_path / "x2.png") == [tmp_path / "x2.png"]
    with pytest.raises(DataError, match="No image found"):
        find_images(tmp_path / "nowhere")


def test_no_cell_of_a_table_is_a_formula(tmp_path):
    cells = ["=1+1", "@a", "+a", "-a", "'=1", "-1.5", "+2e3", "-inf", "a=1", "", "'a", "\t=1"]
    changed = ["'=1+1", "'@a", "'+a", "'-a", "''=1"]
    quoted = [*changed, "-1.5", "+2e3", "-inf", "a=1", "", "'a", "'\t=1"]
    write_table(tmp_path / "a.csv", ["=head", "number"], [[cell, -1] for cell in cells])
    with (tmp_path / "a.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["'=head", "number"]
    assert rows == [[cell, "-1"] for cell in quoted]
    assert [plain_cell(cell) for cell in quoted] == cells


def test_names_like_formulas_survive_our_own_tables(tmp_path):
    write_table(tmp_path / "a.csv", ["image", "label"], [["-a.png", "=b"], ["'+a.png", "-1"]])
    _, rows = read_rows(tmp_path / "a.csv")
    assert [tuple(row.values()) for _, row in rows] == [("-a.png", "=b"), ("'+a.png", "-1")]
