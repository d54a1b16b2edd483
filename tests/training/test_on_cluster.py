"""Training on a Ray cluster of two nodes on this machine."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import maskwright
from maskwright.cluster import parts_at_once
from maskwright.data.synthetic import write_dataset
from maskwright.errors import ConfigError
from maskwright.training import Run

QUICK = {
    **{"encoder": "plain", "encoder_widths": (4, 8), "encoder_weights": None, "size": 32},
    **{"batch_size": 4, "previews": 0, "augmentation": "none"},
}


@pytest.mark.parametrize(
    ("cpus", "parts", "expected"),
    [
        ([8], 4, (4, 2)),  # two for each
        ([4, 4], 3, (3, 2)),
        ([2], 5, (2, 1)),  # three rounds
        ([0, 3], 2, (2, 1)),
        ([16], 1, (1, 16)),
    ],
)
def test_processors_are_divided_among_parts(cpus, parts, expected):
    assert parts_at_once([{"CPU": count} for count in cpus], parts) == expected


def test_a_cluster_without_processors_is_refused():
    with pytest.raises(ConfigError, match="none of its 1 nodes offers any"):
        parts_at_once([{"GPU": 1.0}], 2)


@pytest.fixture
def cluster():
    """Two nodes on this machine, of one processor each."""
    pytest.importorskip("ray")
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=node)
    made.add_node(**{**node, "include_dashboard": None})
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("cells") / "data", num_images=12, size=32)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # Ray warns of its own settings and sockets
def test_folds_on_a_cluster_are_those_of_one_machine(cluster, cells, tmp_path):
    there, here = tmp_path / "there", tmp_path / "here"
    told = []
    maskwright.cross_validate(
        cells, there, folds=2, epochs=1, cluster=cluster.address, on_message=told.append, **QUICK
    )
    maskwright.cross_validate(cells, here, folds=2, epochs=1, **QUICK)
    assert "2 parts, 2 at once, each with 1 CPUs." in told
    for number in (1, 2):
        ours, theirs = (Run(folder / f"fold{number}").read_settings() for folder in (there, here))
        assert ours == theirs


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # Ray warns of its own settings and sockets
def test_trials_and_plans_on_a_cluster_are_those_of_one_machine(cluster, cells, tmp_path):
    told = []
    where = {"cluster": cluster.address, "on_message": told.append}
    given = {"trials": 2, "at_once": 2, "vary": ("learning_rate",), "epochs": 1, **QUICK}
    there = maskwright.search(cells, tmp_path / "there", **where, **given)
    here = maskwright.search(cells, tmp_path / "here", **given)
    assert "2 parts, 2 at once, each with 1 CPUs." in told
    assert [t.values for t in there.trials] == [t.values for t in here.trials]
    assert there.trials[0].score == pytest.approx(here.trials[0].score, abs=0.05)
    plans = {"slow": {**QUICK, "learning_rate": 1e-3}, "fast": {**QUICK, "learning_rate": 1e-2}}
    choice = maskwright.compare_plans(
        cells, tmp_path / "plans", plans, folds=2, minutes=0.2, **where
    )
    assert (tmp_path / "plans" / "plan.yaml").is_file()
    assert choice.reason
    assert told.count("2 parts, 2 at once, each with 1 CPUs.") == 3


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # Ray warns of its own settings and sockets
def test_a_killed_worker_is_replaced_and_the_run_goes_on(cluster, cells, tmp_path):
    psutil = pytest.importorskip("psutil")
    out, told, killed = tmp_path / "run", [], []

    def kill_one():
        while not (out / "checkpoints" / "last.npz").exists():
            time.sleep(0.05)
        workers = [
            child
            for child in psutil.Process().children(recursive=True)
            if "ray::" in " ".join(child.cmdline())
        ]
        killed.append(workers[-1])
        workers[-1].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    run = maskwright.train_on_cluster(
        cells,
        out,
        cluster=cluster.address,
        epochs=6,
        checkpoint_seconds=0.1,
        on_message=told.append,
        **QUICK,
    )
    killer.join(timeout=5)
    assert killed
    assert "A worker was lost; the run goes on from its checkpoint." in told
    assert run.is_finished()
    history = np.genfromtxt(out / "history.csv", delimiter=",", names=True)
    assert history["epoch"].tolist() == list(range(1, 7))
