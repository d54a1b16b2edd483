"""Steps of `Predictor` as ONNX: an image in the size of the network, and probabilities back."""

from typing import Any

from maskwright.export.postprocessed.graph import FLOAT, NETWORK, constant
from maskwright.model_card import ModelCard, SemanticCard

PAD_MULTIPLE = 32
"""Sides are mirrored up to a multiple of this, px, as by `inference.tiling`."""


def lengths() -> list[str]:
    """Height and width of `images (b, h, w, c)`, as `count1` and `count2`."""
    lines = []
    for axis in (1, 2):
        lines += [
            f"length{axis} = Shape <start = {axis}, end = {axis + 1}> (images)",
            f"count{axis} = Squeeze (length{axis})",
        ]
    return lines


def stated_range(source: str, target: str, card: ModelCard) -> list[str]:
    """Pixels in the range of training, where the card states that of the images."""
    if card.pixel_range is None:
        return [f"{target} = Identity ({source})"]
    (low, high), (black, white) = card.pixel_range, card.value_range
    return [
        constant("range_low", "float", low),
        constant("range_scale", "float", (white - black) / (high - low)),
        constant("range_black", "float", black),
        f"above_low = Sub ({source}, range_low)",
        "scaled_pixels = Mul (above_low, range_scale)",
        f"{target} = Add (scaled_pixels, range_black)",
    ]


def mirrored(source: str, target: str, tile: int | None) -> list[str]:
    """Images mirrored beyond their right and lower sides, as by `inference.tiling.padded`."""
    lines = [
        constant("zero", "int64", 0),
        constant("one", "int64", 1),
        constant("two", "int64", 2),
        constant("multiple", "int64", PAD_MULTIPLE),
        constant("rest", "int64", PAD_MULTIPLE - 1),
    ]
    if tile is not None:
        lines.append(constant("tile", "int64", tile))
    for n in (1, 2):
        most = [f"most{n} = Max (count{n}, tile)", f"side{n} = Min (multiple{n}, most{n})"]
        lines += [
            f"raised{n} = Add (count{n}, rest)",
            f"parts{n} = Div (raised{n}, multiple)",
            f"multiple{n} = Mul (parts{n}, multiple)",
            *(most if tile is not None else [f"side{n} = Identity (multiple{n})"]),
            f"places{n} = Range (zero, side{n}, one)",
            f"twice{n} = Mul (count{n}, two)",
            f"turn{n} = Sub (twice{n}, two)",
            f"period{n} = Max (turn{n}, one)",
            f"folded{n} = Mod (places{n}, period{n})",
            f"back{n} = Sub (period{n}, folded{n})",
            f"indices{n} = Min (folded{n}, back{n})",
        ]
    return [
        *lines,
        f"mirrored_rows = Gather <axis = 1> ({source}, indices1)",
        f"{target} = Gather <axis = 2> (mirrored_rows, indices2)",
    ]


def stretched(source: str, target: str, size: tuple[int, int], is_rounded: bool) -> list[str]:
    """Images of the working size, as by `data.geometry.resize_image`.

    OpenCV averages where both sides shrink, and interpolates where the image grows; where it
    shrinks in one direction alone, it interpolates at other places. Each is a matrix for each axis.

    Args:
        is_rounded: Whether pixels are whole numbers, and stay so.
    """
    lines = [
        constant("none", "double", 0),
        constant("half", "double", 0.5),
        constant("whole", "double", 1),
        constant("one", "int64", 1),
        constant("new1", "int64", size[0]),
        constant("new2", "int64", size[1]),
        constant("new_pixels", "int64", size[0] * size[1]),
        "old_pixels = Mul (count1, count2)",
        "shrinks = Greater (old_pixels, new_pixels)",
        "shrinks1 = GreaterOrEqual (count1, new1)",
        "shrinks2 = GreaterOrEqual (count2, new2)",
        "both_shrink = And (shrinks1, shrinks2)",
        "by_area = And (shrinks, both_shrink)",
        *_matrix(1),
        *_matrix(2),
        f"channels_first = Transpose <perm = [0, 3, 1, 2]> ({source})",
        "fewer_rows = MatMul (matrix1, channels_first)",
        "turned2 = Transpose <perm = [1, 0]> (matrix2)",
        "fewer_columns = MatMul (fewer_rows, turned2)",
        "channels_last = Transpose <perm = [0, 2, 3, 1]> (fewer_columns)",
    ]
    return [*lines, f"{target} = {'Round' if is_rounded else 'Identity'} (channels_last)"]


def _matrix(n: int) -> list[str]:
    """Shares `(new, old)` of pixels along an axis in those of the new size, as `matrix`n."""
    return [
        f"old_side{n} = Cast <to = 11> (count{n})",
        f"new_side{n} = Cast <to = 11> (new{n})",
        f"scale{n} = Div (old_side{n}, new_side{n})",
        f"steps{n} = Range (none, new_side{n}, whole)",
        f"i{n} = Unsqueeze (steps{n}, one)",
        f"j{n} = Range (none, old_side{n}, whole)",
        f"next_i{n} = Add (i{n}, whole)",
        f"next_j{n} = Add (j{n}, whole)",
        # Overlap of a new pixel with each old one.
        f"start{n} = Mul (i{n}, scale{n})",
        f"end{n} = Mul (next_i{n}, scale{n})",
        f"from{n} = Max (start{n}, j{n})",
        f"to{n} = Min (end{n}, next_j{n})",
        f"overlap{n} = Sub (to{n}, from{n})",
        f"covered{n} = Max (overlap{n}, none)",
        f"area{n} = Div (covered{n}, scale{n})",
        # Center of a new pixel among the old ones.
        f"middle{n} = Add (i{n}, half)",
        f"scaled{n} = Mul (middle{n}, scale{n})",
        f"center{n} = Sub (scaled{n}, half)",
        # The same as OpenCV has it for averages along an axis that grows.
        f"floor{n} = Floor (start{n})",
        f"above{n} = Add (floor{n}, whole)",
        f"reached{n} = Div (above{n}, scale{n})",
        f"passed{n} = Sub (next_i{n}, reached{n})",
        f"share{n} = Max (passed{n}, none)",
        f"full{n} = Floor (share{n})",
        f"part{n} = Sub (share{n}, full{n})",
        f"between{n} = Add (floor{n}, part{n})",
        f"place{n} = Where (shrinks, between{n}, center{n})",
        f"last{n} = Sub (old_side{n}, whole)",
        f"below{n} = Min (place{n}, last{n})",
        f"inside{n} = Max (below{n}, none)",
        f"difference{n} = Sub (inside{n}, j{n})",
        f"distance{n} = Abs (difference{n})",
        f"near{n} = Sub (whole, distance{n})",
        f"linear{n} = Max (near{n}, none)",
        f"shares{n} = Where (by_area, area{n}, linear{n})",
        f"matrix{n} = Cast <to = {FLOAT}> (shares{n})",
    ]


def probabilities(logits: str, target: str, card: SemanticCard, channels: int) -> list[str]:
    """Probabilities `(b, h, w, classes)` from logits, as by `export.runtime.activate`.

    `channels` are those of the logits; 1 stands for two classes.
    """
    lines = [
        constant("temperature", "float", card.temperature),
        f"tempered = Div ({logits}, temperature)",
    ]
    if card.overlapping:
        return [*lines, f"{target} = Sigmoid (tempered)"]
    if channels == 1 and card.labels.num_classes == 2:
        lines += [
            "others = Sub (tempered, tempered)",
            "all_logits = Concat <axis = -1> (others, tempered)",
        ]
    else:
        lines.append("all_logits = Identity (tempered)")
    return [*lines, f"{target} = Softmax <axis = -1> (all_logits)"]


def cropped(source: str, target: str) -> list[str]:
    """What was predicted without what was mirrored."""
    return [
        "corner = Concat <axis = 0> (length1, length2)",
        constant("origin", "int64", (0, 0)),
        constant("sides", "int64", (1, 2)),
        f"{target} = Slice ({source}, origin, corner, sides)",
    ]


def stretched_back(source: str, target: str) -> list[str]:
    """Probabilities in the size of the images, as by `inference.tiling.resized_strips`."""
    return [
        f"number = Shape <start = 0, end = 1> ({source})",
        f"layers = Shape <start = 3, end = 4> ({source})",
        "original = Concat <axis = 0> (number, length1, length2, layers)",
        f'{target} = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> '
        f"({source}, , , original)",
    ]


def decided(card: Any) -> list[str]:
    """`labels`, or `masks` of overlapping classes, from `probabilities`, as `decide_pixels`."""
    if card.overlapping:
        thresholds = card.thresholds if card.threshold is None else (card.threshold,)
        return [
            constant("thresholds", "float", thresholds),
            "reached = GreaterOrEqual (probabilities, thresholds)",
            "masks = Cast <to = 2> (reached)",
        ]
    background, threshold = card.background, card.threshold
    most = [
        "best_label = ArgMax <axis = -1, keepdims = 0> (probabilities)",
        "best = Cast <to = 2> (best_label)",
    ]
    if threshold is None or background is None:
        return [*most, "labels = Identity (best)"]
    lines = [
        constant("threshold", "float", threshold),
        constant("background", "uint8", background),
    ]
    if card.labels.num_classes == 2:
        return [
            *lines,
            constant("foreground", "uint8", 1 - background),
            constant("foreground_index", "int64", 1 - background),
            "foreground_probability = Gather <axis = -1> (probabilities, foreground_index)",
            "is_foreground = GreaterOrEqual (foreground_probability, threshold)",
            "labels = Where (is_foreground, foreground, background)",
        ]
    return [
        *lines,
        *most,
        constant("last_axis", "int64", (-1,)),
        "sureness = ReduceMax <keepdims = 0> (probabilities, last_axis)",
        "is_sure = GreaterOrEqual (sureness, threshold)",
        "labels = Where (is_sure, best, background)",
    ]


IMAGES, LOGITS = f"{NETWORK}images", f"{NETWORK}logits"
"""Input and output of the network, between the steps."""
