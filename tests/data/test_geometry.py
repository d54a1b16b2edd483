import cv2
import numpy as np
import pytest

from maskwright.data.geometry import resize_channels, resize_image


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
    # Centres of four columns lie at -0.25, 0.25, 0.75 and 1.25 of two.
    assert resize_image(image[:1], (1, 4))[0, :, 0].tolist() == [0, 3, 8, 10]
    assert resize_image(image, (2, 2)) is image
