"""What the page asks of a server, asked without a network."""

import gzip
import time
from contextlib import contextmanager

import numpy as np
from fastapi.testclient import TestClient

from made_up_models import as_file
from maskwright.serving import ServerLimits, create_app


@contextmanager
def client_of(models, headers=None, limits=None, **options):
    """Client of a new application; `client.records` are the access records of its requests."""
    records = []
    limits = ServerLimits(**(limits or {}))
    app = create_app(models, limits, on_record=records.append, **options)
    with TestClient(app, "http://localhost", headers=headers) as client:
        client.records = records
        yield client


def send(client, model, image, name="cells.png", format="PNG"):
    """State of an image that was sent."""
    content = image if isinstance(image, bytes) else as_file(image, format)
    answer = client.post(f"/api/images?model={model}", files={"image": (name, content)})
    assert answer.status_code == 202, answer.text
    return answer.json()


def finished(client, state):
    """State when the model has done, or has failed."""
    ends = time.monotonic() + 20
    while state["status"] not in ("done", "failed"):
        assert time.monotonic() < ends, state
        state = client.get(f"/api/images/{state['id']}?wait=5").json()
    return state


def mask_in(state, layer=""):
    """What a state says of the mask of a layer, by default of the only one."""
    return next(mask for mask in state["layers"] if mask["name"] == layer)


def draw(client, state, strokes, layer=""):
    """Answer to strokes `(h, w)` on the mask as it is now; 254 where there are none."""
    address = f"/api/images/{state['id']}"
    version = mask_in(client.get(address).json(), layer)["version"]
    content = gzip.compress(np.ascontiguousarray(strokes, np.uint8).tobytes())
    query = {"version": version, "layer": layer}
    return client.put(f"{address}/strokes", params=query, content=content)


def decide(client, state, layer="", **changes):
    """Answer to other settings of the mask as it is now."""
    address = f"/api/images/{state['id']}"
    now = mask_in(client.get(address).json(), layer)
    body = {**now["settings"], **changes, "version": now["version"]}
    return client.put(f"{address}/settings", params={"layer": layer}, json=body)


def planes_of(client, state, layer=""):
    """Planes of the grid by name."""
    address = f"/api/images/{state['id']}/evidence"
    data = client.get(address, params={"layer": layer}).content
    size = state["grid"]["height"], state["grid"]["width"]
    planes, first = {}, 0
    for name in state["planes"]:
        dtype = np.dtype("<u2" if name == "objects" else "u1")
        count = size[0] * size[1]
        planes[name] = np.frombuffer(data, dtype, count, first).reshape(size)
        first += count * dtype.itemsize
    assert first == len(data)
    return planes
