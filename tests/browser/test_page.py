"""The page in a real browser, against what Python says of the same image."""

import csv
import io
import json
import re
import zipfile

import cv2
import numpy as np
import pytest

from conftest import served
from made_up import COLOURS, MASKS, OBJECTS, REGIONS, SIZE, disc, made_up_models, picture
from maskwright.imageio import decode_image, encode_png
from maskwright.serving import create_app
from maskwright.serving.limits import Limits

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

ORANGE = [230, 159, 0]  # of the first class that is no background


@pytest.fixture(scope="module")
def keep(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def site(keep):
    with served(create_app(made_up_models(), Limits(), keep=keep, tell=lambda _: None)) as address:
        yield address


def png(image=None):
    data = cv2.imencode(".png", (picture() if image is None else image)[..., ::-1])[1].tobytes()
    return {"name": "slide.png", "mimeType": "image/png", "buffer": data}
