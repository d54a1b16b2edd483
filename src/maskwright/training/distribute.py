"""One worker or several: strategy, shares of a batch, sums over workers.

Workers are told of each other by `TF_CONFIG`, as everywhere in TensorFlow. Each computes its
part of every batch; the sum of their gradients is that of the whole batch.
"""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from maskwright.errors import ConfigError

Tensor = Any
Shard = tuple[int, int] | None


def find_strategy() -> tf.distribute.Strategy:
    """Strategy of several workers or GPUs if `TF_CONFIG` or this machine has them, else of one.

    Call it before anything else of TensorFlow: the workers must find each other first.
    """
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG") or "{}")
        workers = cluster.get("cluster", {}).get("worker", [])
        place = cluster.get("task", {}).get("index", 0)
    except (ValueError, AttributeError) as error:
        raise ConfigError(
            f"Expected TF_CONFIG to hold JSON with `cluster` and `task` ({error})."
        ) from None
    if len(workers) > 1:
        if not 0 <= place < len(workers):
            raise ConfigError(
                f"TF_CONFIG names {len(workers)} workers and gives this one the index {place}."
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the files of the run; exactly one does."""
    resolver = strategy.cluster_resolver
    return resolver is None or resolver.task_id in (None, 0)


def share_out(
    strategy: tf.distribute.Strategy, batch_size: int, make: Callable[[Shard], tf.data.Dataset]
) -> Iterable:
    """Batches for every replica, each its part of `batch_size` images.

    `make` is given `(replica, replicas)` for the data set of that replica's part of each batch, or
    `None` for that of whole batches.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return make(None)
    if batch_size % replicas:
        raise ConfigError(
            f"Expected a batch size that {replicas} replicas can share evenly, "
            f"received {batch_size}."
        )

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        per_worker = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * per_worker
        parts = [make((first + replica, replicas)) for replica in range(per_worker)]
        # The replicas of a worker take one element each, in turn.
        turns = tf.data.Dataset.range(per_worker).repeat()
        return parts[0] if per_worker == 1 else tf.data.Dataset.choose_from_datasets(parts, turns)

    return strategy.distribute_datasets_from_function(of_worker)


def add_up(tensor: Tensor) -> Tensor:
    """Sum over replicas, for a loss that sees the whole batch; lets gradients through.

    All replicas hold the same sum, and each hands in its share of the loss. The gradient of the
    whole is that of all shares with respect to a replica's own part: as many times that of its
    own share as there are replicas.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tensor
    local = tf.stop_gradient(tensor)
    total = context.all_reduce(tf.distribute.ReduceOp.SUM, local)
    return total + context.num_replicas_in_sync * (tensor - local)
