"""Runs in processes of their own: killed and resumed, and two workers against one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name("short_run.py")
EPOCHS = 6


def start(*runs, **environment):
    """Process of runs, one after the other: each a folder, with or without how to run."""
    command = [sys.executable, PROGRAM, str(EPOCHS)]
    for folder, *how in runs:
        folder.mkdir(exist_ok=True)
        command.append(":".join((str(folder), *how)))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env={**os.environ, **environment}, **quiet)


def ended(process, folder):
    assert process.wait(timeout=240) == 0
    return weights(folder)


def weights(folder):
    with np.load(folder / "weights.npz") as file:
        return [file[name] for name in file.files]


def epochs_done(folder):
    with np.load(folder / "last.npz") as file:
        return json.loads(file["state"].tobytes())["epoch"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Folders of a run that nothing happened to, and of one that workers share elsewhere.

    In this order: another process rounds the last bit of the first otherwise where it did
    something before.
    """
    folder = tmp_path_factory.mktemp("alone")
    whole, shared = folder / "whole", folder / "shared"
    assert start((whole,), (shared, "synchronized")).wait(timeout=240) == 0
    return whole, shared


def test_killed_and_resumed_a_run_ends_with_the_same_weights(alone, tmp_path):
    killed = tmp_path / "killed"
    process = start((killed,))
    deadline = time.monotonic() + 200
    while not (killed / "last.npz").exists() or epochs_done(killed) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = ended(start((killed, "resume")), killed)
    for one, other in zip(weights(alone[0]), found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_workers_end_with_the_weights_of_one(alone, tmp_path):
    expected = weights(alone[1])
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    folders = [tmp_path / f"worker{index}" for index in range(2)]
    processes = [
        start(
            (folder, "synchronized"),
            TF_CONFIG=json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            ),
        )
        for index, folder in enumerate(folders)
    ]
    for process, folder in zip(processes, folders, strict=True):
        for found, wanted in zip(ended(process, folder), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert not (folders[1] / "last.npz").exists()  # one worker writes
