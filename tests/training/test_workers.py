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

PROGRAM = Path(__file__).with_name("short_run.py")


def start(folder, epochs, *flags, **environment):
    folder.mkdir(exist_ok=True)
    command = [sys.executable, PROGRAM, folder, folder / "weights.npz", str(epochs), *flags]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env={**os.environ, **environment}, **quiet)


def ended(process, folder):
    assert process.wait(timeout=240) == 0
    with np.load(folder / "weights.npz") as file:
        return [file[name] for name in file.files]


def epochs_done(folder):
    with np.load(folder / "last.npz") as file:
        return json.loads(file["state"].tobytes())["epoch"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_killed_and_resumed_a_run_ends_with_the_same_weights(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    expected = ended(start(whole, 12), whole)
    process = start(killed, 12)
    deadline = time.monotonic() + 200
    while not (killed / "last.npz").exists() or epochs_done(killed) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = ended(start(killed, 12, "--resume"), killed)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_workers_end_with_the_weights_of_one(tmp_path):
    one = tmp_path / "one"
    expected = ended(start(one, 6, "--synchronised"), one)
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    folders = [tmp_path / f"worker{index}" for index in range(2)]
    processes = [
        start(
            folder,
            6,
            "--synchronised",
            TF_CONFIG=json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            ),
        )
        for index, folder in enumerate(folders)
    ]
    for process, folder in zip(processes, folders, strict=True):
        for found, wanted in zip(ended(process, folder), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    assert not (folders[1] / "last.npz").exists()  # one worker writes
