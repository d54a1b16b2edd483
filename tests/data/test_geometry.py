import cv2
import numpy as np
import pytest

from maskwright.data.geometry import resize_channels, resize_image, shrink_bands


@pytest.mark.parametrize("channels", [1, 3, 5, 130])
@pytest.mark.parametrize("size", [(10, 15), (40, 60), (10, 60), (7, 11)])
@pytest.mark.parametrize("interpolation", [cv2.INTER_AREA, cv2.INTER_LINEAR])
def test_every_channel_is_resized_as_if_alone(channels, size, interpolation):
    image = np.random.default_rng(0).random((20, 30, channels)).astype(np.float32)
    planes = [
        cv2.resize(np.ascontiguousarray(image[..., k]), size[::-1], interpolation=interpolation)
        for k in range(channels)
    ]
    resized = resize_channels(image, size, interpolation)
    np.testing.assert_allclose(resized, np.stack(planes, axis=-1), atol=1e-6)


def test_images_are_averaged_down_and_interpolated_up():
    image = np.array([[0, 10], [20, 30]], np.uint8)[..., None]
    assert resize_image(image, (1, 1)).tolist() == [[[15]]]
    # Centers of four columns lie at -0.25, 0.25, 0.75 and 1.25 of two.
    assert resize_image(image[:1], (1, 4))[0, :, 0].tolist() == [0, 3, 8, 10]
    assert resize_image(image, (2, 2)) is image


@pytest.mark.parametrize(("size", "smaller"), [((60, 90), (20, 30)), ((61, 97), (17, 96))])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_bands_are_shrunk_as_the_whole(size, smaller, dtype):
    image = (np.random.default_rng(0).random((*size, 5)) * 255).astype(dtype)
    whole = resize_image(image, smaller)
    for rows in (1, 7, 100):
        bands = (image[top : top + rows] for top in range(0, size[0], rows))
        found = shrink_bands(bands, size, smaller)
        assert found.dtype == dtype
        tolerance = 1e-3 if dtype == np.float32 else 1
        np.testing.assert_allclose(found.astype(float), whole, rtol=0, atol=tolerance)
