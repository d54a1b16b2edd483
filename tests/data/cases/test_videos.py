"""Frames of videos, named as CamVid names them, and numbered photographs that are none."""

import numpy as np
import pytest

from maskwright.data.cases.duplicates import thumbnail
from maskwright.data.cases.videos import find_videos, number_series, settle_videos
from maskwright.data.synthetic.datasets import draw_scene


def clip(seed, frames, step=4):
    """Thumbnails of a window that moves along a drawn scene, `step` px a frame."""
    scene = draw_scene(np.random.default_rng(seed), 96 + step * frames).image
    return np.stack([thumbnail(scene[:96, step * f : step * f + 96]) for f in range(frames)])


def photographs(number, seed=100):
    """Thumbnails of as many different scenes."""
    scenes = (draw_scene(np.random.default_rng(seed + n), 96).image for n in range(number))
    return np.stack([thumbnail(scene) for scene in scenes])


def test_names_that_differ_in_their_last_number_are_a_series():
    ids = ["0001TP_006720", "Seq05VD_f00000", "0001TP_006690", "a1_left", "plan", "0001TP_6700"]
    assert number_series([*ids, *(f"0001TP_{n:06}" for n in (7, 8))]) == {
        "0001TP_…": [6, 7, 2, 5, 0]
    }
    assert number_series([f"{n}_training" for n in (21, 22, 23)]) == {}  # too few


def test_videos_are_found_and_numbered_photographs_are_not():
    photos = {"Abyssinian_…": photographs(12), "benign (…)": photographs(9, 200)}
    videos = {"0001TP_…": clip(1, 13), "Seq05VD_f…": clip(2, 8)}
    assert find_videos(photos) == []
    assert find_videos({}) == []
    assert find_videos(videos | photos) == ["0001TP_…", "Seq05VD_f…"]
    # Four frames alone show too little, many such series together enough.
    assert find_videos({"a…": clip(3, 4)}) == []
    assert len(find_videos({f"{n}_…": clip(n, 4) for n in range(6)})) == 6


def test_photographs_that_look_alike_are_no_video():
    """All show the same disc, as the retinas of DRIVE, with noise of their own."""
    rng = np.random.default_rng(0)
    disc = (np.hypot(*np.mgrid[-48:48, -48:48]) < 40)[..., None] * np.uint8(150)
    retinas = [thumbnail(disc + rng.integers(0, 60, (96, 96, 1), np.uint8)) for _ in range(20)]
    assert find_videos({"…_training": np.stack(retinas)}) == []


@pytest.mark.parametrize(
    ("videos", "line"),
    [
        ({"0001TP_…": "0001TP_{:06}", "Seq05VD_f…": "Seq05VD_f{:05}"}, "`group_by: (.+)_`"),
        ({"clip-…": "clip-{}", "b-…": "b-{}"}, "`group_by: (.+)-`"),
        ({"walk…": "walk{}", "run…": "run{}"}, "`group_by: (.*[^0-9])[0-9]`"),
        ({"…_left": "{}_left", "…_right": "{}_right"}, "`group_by: '[0-9]+([^0-9]+)$'`"),
        ({"…": "{:03}"}, "a `manifest` with a column `case`"),
    ],
)
def test_the_line_that_settles_it_makes_each_video_a_case(videos, line):
    ids = [name.format(number) for name in videos.values() for number in range(8, 14)]
    settled = settle_videos(ids, videos)
    assert settled == (
        f"State {line} in data.yaml, or `group_by: (.+)` where each image is a case of its own."
    )
    assert f"{line} and `splits: {{}}` in data.yaml, so" in settle_videos(ids, videos, splits=True)
