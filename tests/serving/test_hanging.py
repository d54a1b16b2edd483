"""Uploads and models that never come to an end, beside a client who only wants a mask."""

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import numpy as np
from test_attacks import tiff_of

from hanging_reader import hanging_header
from made_up_models import TWO, as_file, brightness, masks, one_model, registry, two_squares
from maskwright.imageio.isolated import DecoderPool
from maskwright.serving import ServerLimits, bind, create_app, run_in_thread
from maskwright.serving.store.image_store import ImageStore

PNG = as_file(two_squares())


def post(port, name, address="127.0.0.1", path="/predict"):
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(transport=transport, timeout=30) as client:
        return client.post(f"http://127.0.0.1:{port}{path}", files={"image": (name, PNG)})


def test_hanging_uploads_neither_hold_up_others_nor_the_end(monkeypatch):
    monkeypatch.setattr("maskwright.serving.routes.predict.read_header", hanging_header)
    monkeypatch.setattr("maskwright.serving.jobs.job_queue.ENDING_S", 1.0)
    limits = ServerLimits(seconds=30.0)
    app = create_app(one_model(), limits, on_record=lambda _: None)
    with ThreadPoolExecutor(24) as senders:
        with run_in_thread(app, bind("127.0.0.1", 0), limits) as port:
            post(port, "a.png")
            hanging = [senders.submit(post, port, "hang.tif") for _ in range(12)]
            time.sleep(1.0)
            assert not any(answer.done() for answer in hanging)
            took = []
            for _ in range(10):
                began = time.perf_counter()
                assert post(port, "a.png", "127.0.0.2").status_code == 200
                took.append(time.perf_counter() - began)
            assert sorted(took)[5] < 15.0
            assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
            began = time.monotonic()
        assert time.monotonic() - began < 25
        assert {answer.result().status_code for answer in hanging} <= {422, 504}


def test_health_tells_when_models_do_not_come_back():
    go = threading.Event()
    models = registry(masks("cells", TWO, lambda images: go.wait(20) and brightness(images)))
    limits = ServerLimits(seconds=0.5, queue=100)
    app = create_app(models, limits, on_record=lambda _: None)
    with (
        ThreadPoolExecutor(16) as senders,
        run_in_thread(app, bind("127.0.0.1", 0), limits) as port,
    ):
        health = f"http://127.0.0.1:{port}/health"
        assert httpx.get(health).json()["status"] == "ok"
        late = [senders.submit(post, port, "a.png") for _ in range(16)]
        assert {answer.result().status_code for answer in late} == {504}
        answer = httpx.get(health)
        assert (answer.status_code, answer.json()["status"]) == (503, "stuck")
        for name in ("live", "ready"):
            answer = httpx.get(f"http://127.0.0.1:{port}/v2/health/{name}")
            assert (answer.status_code, answer.json()) == (503, {name: False})
        go.set()
        time.sleep(0.5)
        assert httpx.get(health).status_code == 200


def test_a_file_of_few_bytes_does_not_hold_many_pixels(asking):
    client = asking(one_model(), limits={"pixels": 10**6})
    answer = client.post("/api/images?model=cells", files={"image": ("s", tiff_of(20_000, 20_000))})
    assert answer.status_code == 413
    assert "too few" in answer.json()["detail"]


def test_an_image_of_the_page_ends_at_its_time():
    def slow(images):
        time.sleep(1.0)
        return brightness(images)

    models = registry(masks("cells", TWO, slow, tile=32))
    images = ImageStore(ServerLimits(seconds=0.01), DecoderPool(1))
    file = io.BytesIO(as_file(np.zeros((300, 300, 3), np.uint8)))
    upload = images.add("a.png", models["cells"], file)
    ends = time.monotonic() + 20
    while not upload.over and time.monotonic() < ends:
        time.sleep(0.05)
    assert (upload.status, "longer than" in (upload.reason or "")) == ("failed", True)
    images.close()
