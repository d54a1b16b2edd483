import cv2
import numpy as np
import pytest

from maskwright.inference.tiling import predict_tiled, resized_strips


def pointwise(images):
    """Two classes whose probability is the pixel itself."""
    values = images[..., :1].astype(np.float32)
    return np.concatenate([1 - values, values], axis=-1)


def whole(strips):
    return np.concatenate(list(strips))


@pytest.mark.parametrize("shape", [(1, 1), (5, 70), (64, 64), (65, 200), (150, 31)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_tiles_give_back_a_pointwise_function(shape, overlap):
    image = np.random.default_rng(0).random((*shape, 2)).astype(np.float32)
    strips = predict_tiled(pointwise, image, tile=64, overlap=overlap, batch_size=3)
    np.testing.assert_allclose(whole(strips), pointwise(image[None])[0], atol=1e-6)


def test_a_function_of_neighbors_differs_only_where_tiles_end():
    def blurred(images):
        return np.stack([cv2.blur(image, (3, 3))[..., None] for image in images])

    image = np.random.default_rng(0).random((64, 100, 1)).astype(np.float32)
    tiled = whole(predict_tiled(blurred, image, tile=64))
    # Tiles begin at columns 0, 18 and 36 and see no neighbor beyond columns 18, 36, 63 and 81.
    away = np.setdiff1d(np.arange(100), [17, 18, 35, 36, 63, 64, 81, 82])
    expected = blurred(image[None])[0]
    np.testing.assert_allclose(tiled[:, away], expected[:, away], atol=1e-6)


def test_images_within_a_tile_are_reflected_to_a_multiple_of_32_and_run_whole():
    seen = []

    def record(images):
        seen.append(images)
        return pointwise(images)

    image = np.arange(40, dtype=np.float32).reshape(1, 40, 1)
    assert whole(predict_tiled(record, image, tile=256)).shape == (1, 40, 2)
    (images,) = seen
    assert images.shape == (1, 32, 64, 1)
    # Column 39 is the mirror.
    assert images[0, 31, 38:42, 0].tolist() == [38, 39, 38, 37]
    whole(predict_tiled(record, np.zeros((100, 300, 1)), tile=None))
    assert seen[-1].shape == (1, 128, 320, 1)


def test_tiles_overlap_in_the_share_asked_and_blend_with_bell_weights():
    calls = iter([0.0, 1.0])

    def constant(images):
        return np.full((*images.shape[:3], 1), next(calls), np.float32)

    strip = whole(predict_tiled(constant, np.zeros((32, 96, 1)), 64, overlap=0.5, batch_size=1))
    row = strip[0, :, 0]
    # Two tiles, columns 0 to 63 and 32 to 95: alone at the sides, equal in the middle between.
    np.testing.assert_allclose(row[:32], 0)
    np.testing.assert_allclose(row[64:], 1)
    assert row[47] + row[48] == pytest.approx(1)
    # At column 40 the distances from the centers 31.5 and 63.5 are 8.5 and 23.5, sigma is 8.
    near, far = np.exp(-(8.5**2) / 128), np.exp(-(23.5**2) / 128)
    assert row[40] == pytest.approx(far / (near + far))


def test_strips_leave_while_later_tiles_are_still_to_come():
    calls = []

    def count(images):
        calls.append(len(images))
        return pointwise(images)

    strips = predict_tiled(count, np.zeros((640, 64, 1), np.uint8), tile=64)
    assert len(next(strips)) == 32
    assert sum(calls) == 1
    assert sum(len(strip) for strip in strips) == 640 - 32


@pytest.mark.parametrize("size", [(60, 90), (7, 5), (1, 1), (20, 200)])
@pytest.mark.parametrize("num_classes", [1, 3, 130])
def test_strips_are_those_of_opencv(monkeypatch, size, num_classes):
    monkeypatch.setattr("maskwright.inference.tiling._BAND_VALUES", 4000)
    values = np.random.default_rng(0).random((20, 30, num_classes)).astype(np.float32)
    planes = [cv2.resize(values[..., k], size[::-1]) for k in range(num_classes)]
    resized = np.concatenate(list(resized_strips(values, size)))
    np.testing.assert_allclose(resized, np.stack(planes, axis=-1), atol=1e-6)
