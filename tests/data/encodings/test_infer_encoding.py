from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from drawing_samples import draw
from maskwright.data.encodings.class_map import ClassEntry, ClassMap
from maskwright.data.encodings.contents import MaskContents, read_contents
from maskwright.data.encodings.evidence import MaskEvidence
from maskwright.data.encodings.infer_encoding import infer_encoding
from maskwright.errors import DataError
from maskwright.imageio import read_mask, write_image

VOID = 255


def meaning(folder, *masks, legend=None, objects=False, **options):
    """Encoding and labels of arrays that are written as PNG and read again."""
    paths = []
    for number, mask in enumerate(masks):
        path = folder / f"{number}.png"
        if np.asarray(mask).dtype == np.uint16:
            write_image(path, mask)
        else:
            draw(path, np.asarray(mask, np.uint8), **options)
        paths.append(path)
    evidence = MaskEvidence([read_contents(path) for path in paths], legend, objects)
    encoding, labels, _ = infer_encoding(evidence)
    return encoding, labels, [encoding.decode(read_mask(path), path).tolist() for path in paths]


def doubts(folder, *masks, **options):
    """Codes of the doubts about arrays that are written as PNG."""
    paths = [draw(folder / f"{n}.png", np.asarray(m, np.uint8)) for n, m in enumerate(masks)]
    found = infer_encoding(MaskEvidence([read_contents(path) for path in paths], **options))[2]
    return [doubt.code for doubt in found]


@pytest.mark.parametrize(
    ("mask", "kind", "labels", "names", "said"),
    [
        ([[0, 255]], "binary", [[0, 1]], "background foreground", "0 and 255: 0 is background"),
        ([[0, 1]], "binary", [[0, 1]], "background foreground", "1 foreground"),
        ([[0, 0]], "binary", [[0, 0]], "background foreground", "which does not occur"),
        ([[0, 1, 255]], "binary", [[0, 1, VOID]], "background foreground", "255 is void"),
        ([[0, 1, 2]], "indices", [[0, 1, 2]], "class_0 class_1 class_2", "label indices from 0"),
        ([[0, 1, 3]], "indices", [[0, 1, 3]], "class_0 class_1 class_2 class_3", "2 did not occur"),
        ([[1, 2, 3]], "indices", [[0, 1, 2]], "class_1 class_2 class_3", "counted from 1"),
        ([[0, 1, 2, 255]], "indices", [[0, 1, 2, VOID]], "class_0 class_1 class_2", "255 is void"),
        ([[0, 127, 255]], "indices", [[0, 1, 2]], "class_0 class_127 class_255", "spread over"),
        (
            [[0, 40, 90]],
            "indices",
            [[0, 1, 2]],
            "class_0 class_40 class_90",
            "of them a class",
        ),
    ],
)
def test_gray_masks_are_understood(tmp_path, mask, kind, labels, names, said):
    encoding, found, decoded = meaning(tmp_path, mask)
    assert encoding.kind == kind
    assert decoded == [labels]
    assert " ".join(found.names) == names
    assert said in encoding.explanation


def test_one_mask_of_ones_among_whites_is_foreground_too(tmp_path):
    encoding, found, decoded = meaning(tmp_path, [[0, 255]], [[0, 1]], [[255, 0]])
    assert (encoding.kind, found.names) == ("binary", ("background", "foreground"))
    assert decoded == [[[0, 1]], [[0, 1]], [[1, 0]]]


def test_whites_among_more_ones_are_foreground_or_void(tmp_path):
    assert doubts(tmp_path, [[0, 255]], [[0, 1]], [[1, 0]]) == ["void_or_foreground"]
    assert doubts(tmp_path, [[0, 255]], [[0, 1]], [[1, 255]]) == []
    assert doubts(tmp_path, [[1, 255]]) == ["void_or_foreground"]


def named(names):
    return ClassMap(tuple(ClassEntry(name) for name in names.split(",")), "classes.txt")


@pytest.mark.parametrize("values", [(0, 64), (0, 60, 120), (10, 20, 30), (0, 29, 76)])
def test_255_beside_gray_levels_is_a_doubt_that_classes_settle(tmp_path, values):
    mask = [[*values, 255]]
    assert doubts(tmp_path, mask) == ["void_or_class"]
    names = ["background" if value == 0 else f"class_{value}" for value in values]
    for legend, last in ((names, VOID), ([*names, "class_255"], len(values))):
        legend = named(",".join(legend))
        assert doubts(tmp_path, mask, class_map=legend) == []
        _, found, decoded = meaning(tmp_path, mask, legend=legend)
        assert (decoded[0][0][-1], found.names[-1]) == (last, legend.entries[-1].name)


def test_names_of_objects_alone_tell_nothing_where_each_value_has_one(tmp_path):
    legend = named("dent,rust,scratch")  # 0 is a dent, or background and 255 a scratch
    assert doubts(tmp_path, [[0, 60, 120, 255]], class_map=legend) == ["void_or_class"]
    assert doubts(tmp_path, [[0, 1, 2, 255]], class_map=legend) == []


def test_16_bit_grays_are_classes_and_255_is_void_as_the_highest_value_alone(tmp_path):
    spread = np.array([[0, 21845, 43690, 65535]], np.uint16)
    assert meaning(tmp_path, spread)[2] == [[[0, 1, 2, 3]]]
    assert meaning(tmp_path, np.array([[0, 100, 255, 1000]], np.uint16))[2] == [[[0, 1, 2, 3]]]


def test_areas_of_gray_levels_are_no_smooth_edges(tmp_path):
    mask = np.repeat([[0, 50, 100, 150, 230, 255]], [90, 2, 2, 2, 2, 40], axis=1)
    encoding, *_ = meaning(tmp_path, np.repeat(mask, 2, axis=0))
    assert (encoding.kind, encoding.threshold) == ("indices", None)


def test_smooth_edges_are_cut_in_the_middle(tmp_path):
    mask = np.repeat([0, 3, 100, 127, 128, 200, 252, 255], [50, 1, 1, 1, 1, 1, 1, 50])[None]
    encoding, _, decoded = meaning(tmp_path, mask)
    assert encoding.kind == "binary"
    assert "cut at 128" in encoding.explanation
    assert decoded == [[[0] * 53 + [1] * 53]]


def test_one_bit_mixes_with_eight(tmp_path):
    bits = np.array([[True, False]])
    Image.fromarray(bits).save(tmp_path / "bits.png")
    draw(tmp_path / "bytes.png", np.array([[0, 255]], np.uint8))
    paths = [tmp_path / "bits.png", tmp_path / "bytes.png"]
    encoding, _, _ = infer_encoding(MaskEvidence([read_contents(path) for path in paths]))
    assert [encoding.decode(read_mask(p)).tolist() for p in paths] == [[[1, 0]], [[0, 1]]]


def test_palettes_keep_indices_and_give_their_colors(tmp_path):
    palette = [10, 20, 30, 200, 0, 0, 0, 200, 0]
    encoding, labels, decoded = meaning(tmp_path, [[0, 1, 2]], mode="P", palette=palette)
    assert encoding.kind == "palette"
    assert labels.colors == ((10, 20, 30), (200, 0, 0), (0, 200, 0))
    assert decoded == [[[0, 1, 2]]]


def test_palettes_in_different_orders_are_read_as_colors(tmp_path):
    red, green, blue = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    for number, order in enumerate(([red, green, blue], [blue, red, green])):
        draw(
            tmp_path / f"{number}.png", np.array([[0, 1, 2]], np.uint8), "P", palette=sum(order, ())
        )
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    encoding, labels, _ = infer_encoding(MaskEvidence([read_contents(path) for path in paths]))
    assert encoding.kind == "colors"
    for path, order in zip(paths, ([red, green, blue], [blue, red, green]), strict=True):
        decoded = encoding.decode(read_mask(path))[0]
        assert [labels.colors[label] for label in decoded] == order


def test_colors_become_classes_and_alpha_does_not_matter(tmp_path):
    mask = np.array([[[0, 0, 0, 255], [255, 0, 0, 255], [0, 0, 255, 9]]])
    encoding, labels, decoded = meaning(tmp_path, mask, [[0, 0, 0]])  # the second all black
    assert encoding.kind == "colors"
    assert labels.colors == ((0, 0, 0), (0, 0, 255), (255, 0, 0))
    assert decoded == [[[0, 2, 1]], [[0, 0, 0]]]


def test_known_colors_have_names_and_unlabeled_is_ignored(tmp_path):
    row = [[0x3C, 0x10, 0x98], [0x6E, 0xC1, 0xE4], [0xFE, 0xDD, 0x3A], [0x9B] * 3]
    mask = [row * 100]
    mask[0].append([0, 0, 0])  # one stray pixel
    encoding, labels, decoded = meaning(tmp_path, mask)
    assert labels.names == ("building", "unpaved land", "road", "vegetation", "water")
    assert decoded[0][0][:4] == [0, 2, 3, VOID]
    assert decoded[0][0][-1] == VOID
    assert "#000000" in encoding.explanation


def test_objects_are_united_or_numbered(tmp_path):
    one, other = [[0, 255, 255]], [[255, 0, 0]]
    encoding, _, decoded = meaning(tmp_path, one, other, objects=True)
    assert (encoding.kind, decoded) == ("objects", [[[0, 1, 1]], [[1, 0, 0]]])
    numbered = np.kron(np.arange(12, dtype=np.uint16).reshape(3, 4), np.ones((2, 2), np.uint16))
    fewer = np.where(numbered > 7, 0, numbered)
    encoding, _, decoded = meaning(tmp_path, numbered, fewer)
    assert encoding.kind == "objects"
    assert decoded[0] == (numbered > 0).astype(int).tolist()
    assert len(encoding.objects(read_mask(tmp_path / "1.png"))) == 7


def test_unknown_values_are_named(tmp_path):
    encoding, _, _ = meaning(tmp_path, [[0, 1, 2]])
    draw(tmp_path / "late.png", np.array([[0, 7, 7, 9]], np.uint8))
    with pytest.raises(
        DataError, match=r"late.png holds the unknown values 7 \(2 px\), 9 \(1 px\)"
    ):
        encoding.decode(read_mask(tmp_path / "late.png"), tmp_path / "late.png")


def test_noise_is_no_legend(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3))
    with pytest.raises(DataError, match="blurred by resizing or JPEG"):
        meaning(tmp_path, noise)


@pytest.mark.parametrize(
    ("names", "mask", "labels", "expected"),
    [
        ("cat,dog", [[0, 255]], [[0, 1]], "cat dog"),
        ("cat,dog", [[0, 1, 2]], [[0, 1, 2]], "background cat dog"),
        ("cat,dog,cow", [[1, 2, 3]], [[0, 1, 2]], "cat dog cow"),
        ("sky,cat,dog,cow", [[0, 1]], [[0, 1]], "sky cat dog cow"),
        ("void,cat,dog", [[0, 1, 2]], [[VOID, 0, 1]], "cat dog"),
        ("cat", [[0, 1, 2, 3]], [[0, 1, 2, 3]], "class_0 class_1 class_2 class_3"),  # no fit
    ],
)
def test_a_list_of_names_is_laid_over_the_values(tmp_path, names, mask, labels, expected):
    legend = ClassMap(tuple(ClassEntry(name) for name in names.split(",")), "classes.txt")
    _, found, decoded = meaning(tmp_path, mask, legend=legend)
    assert (" ".join(found.names), decoded) == (expected, [labels])


def test_an_index_beyond_its_palette_has_no_color_and_is_refused_by_name(tmp_path):
    palettes = [[0, 0, 0, 255, 0, 0], [0, 0, 0, 0, 255, 0]]
    for number, palette in enumerate(palettes):
        draw(tmp_path / f"{number}.png", np.array([[0, 1]], np.uint8), "P", palette=palette)
    whole = tmp_path / "0.png"
    short = MaskContents({0: 1, 7: 1}, bytes(palettes[0]))
    assert short.as_colors() == {(0, 0, 0): 1}
    encoding, _, _ = infer_encoding(
        MaskEvidence([read_contents(whole), read_contents(tmp_path / "1.png")])
    )
    assert encoding.kind == "colors"
    raw = replace(read_mask(whole), values=np.array([[0, 7]], np.uint8))
    with pytest.raises(DataError, match=r"m\.png holds the index 7 beyond its palette"):
        encoding.decode(raw, "m.png")
