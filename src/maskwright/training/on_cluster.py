"""Training on a Ray cluster: independent runs at once, and workers that train one run together.

Ray is imported where it is used. A run that a worker was killed in goes on from its checkpoint.
"""

import json
import math
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from maskwright.cluster import (
    check_marker,
    connected,
    import_ray,
    limit_threads,
    marker,
    parts_at_once,
)
from maskwright.errors import ConfigError, MaskwrightError, TrainingError
from maskwright.types import OnMessage

Part = Callable[[OnMessage], Any]
"""Work that can be sent to another process, begins where it was stopped, and tells messages."""

Outcome = tuple[list[str], MaskwrightError | None, Any]
"""Messages of a part, what stopped it, and what it gives."""

_RESTARTS = 5  # of a run or part whose workers were killed
LOCAL = "local"
"""Address that starts a cluster on this machine."""


def address_of(cluster: str) -> str | None:
    """Address as `connected` takes it."""
    return None if cluster == LOCAL else cluster


def run_parts(
    parts: Mapping[str, Callable[[int], Part]],
    out: Path,
    cluster: str,
    on_message: OnMessage,
    shared_by: int = 0,
) -> dict[str, Any]:
    """Run parts on a cluster, as many at once as it has room for; what each gives, by name.

    Args:
        parts: By name, each made from the number of rounds that all of them take, by which a budget
            of time is divided.
        out: Folder that all nodes see under the same path.
        cluster: `LOCAL`, or the address of a running cluster.
        shared_by: Parts that the processors are divided among where there are fewer now.

    Raises what a part raises, `ConfigError` if there is no cluster, and `TrainingError` for a part
    whose worker was killed again and again.
    """
    ray = import_ray()
    with ExitStack() as stack:
        stack.enter_context(connected(ray, address_of(cluster)))
        token = stack.enter_context(marker(out))
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        at_once, cpus = parts_at_once(nodes, max(len(parts), shared_by))
        at_once = min(at_once, len(parts))
        rounds = math.ceil(len(parts) / at_once)
        remote = ray.remote(num_cpus=cpus, max_calls=1, max_retries=_RESTARTS)(_run_part)
        on_message(f"{len(parts)} parts, {at_once} at once, each with {cpus} CPUs.")
        pending = {
            remote.remote(make(rounds), out, token, cpus): name for name, make in parts.items()
        }
        given: dict[str, Any] = dict.fromkeys(parts)
        while pending:
            (ready,), _ = ray.wait(list(pending), num_returns=1)
            name = pending.pop(ready)
            try:
                messages, problem, given[name] = ray.get(ready)
            except ray.exceptions.RayError as error:
                _cancel(ray, pending)
                raise TrainingError(
                    f"{name} stopped: {_last_line(error)}; go on with --resume."
                ) from error
            for message in messages:
                on_message(message)
            if problem is not None:
                _cancel(ray, pending)
                raise problem
            on_message(f"{name} is done.")
        return given


def _run_part(part: Part, out: Path, token: str, cpus: int) -> Outcome:
    """On a worker: what a part told, what stopped it, and what it gives."""
    limit_threads(cpus)
    messages: list[str] = []
    try:
        check_marker(out, token)
        return messages, None, part(messages.append)
    except MaskwrightError as problem:  # of Ray's own kind, if it were raised here
        return messages, problem, None


def train_together(
    begin: Part, resume: Part, out: Path, workers: int, cluster: str, on_message: OnMessage
) -> None:
    """Train one run by several workers, which share every batch.

    Where a worker is killed, all are started again, and the run goes on from its checkpoint.

    Args:
        begin: Trains the run from its start; called on every worker, with `TF_CONFIG` set.
        resume: Goes on with it.
        out: Folder of the run.
        cluster: `LOCAL`, or the address of a running cluster.

    Raises:
        ConfigError: If there is no cluster, or it has too few CPUs.
        TrainingError: If workers were killed again and again.
    """
    ray = import_ray()
    with ExitStack() as stack:
        stack.enter_context(connected(ray, address_of(cluster)))
        out.parent.mkdir(parents=True, exist_ok=True)
        token = stack.enter_context(marker(out.parent))
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        at_once, cpus = parts_at_once(nodes, workers)
        if at_once < workers:
            raise ConfigError(
                f"Expected a cluster with a CPU for each of {workers} workers; it has "
                f"{at_once}: start more nodes, or set --workers."
            )
        for attempt in range(_RESTARTS + 1):
            begun = (out / "plan.yaml").is_file()
            if attempt and not begun:
                on_message("A worker was lost before the run had begun; it begins again.")
            elif attempt:
                on_message("A worker was lost; the run goes on from its checkpoint.")
            part = resume if attempt and begun else begin
            work = (part, out.parent, token, cpus)
            messages, problem, error = _together(ray, work, workers)
            for message in messages:
                on_message(message)
            if problem is not None:
                raise problem
            if error is None:
                return
        raise TrainingError(f"Workers were lost {attempt + 1} times; the last: {error}")


def _together(
    ray: Any, work: tuple[Part, Path, str, int], workers: int
) -> tuple[list[str], MaskwrightError | None, str | None]:
    """Messages of the first worker, a problem that one of them tells, and why one was lost.

    `work` are the arguments that `_run_part` takes.
    """
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy as Place

    cpus = work[-1]
    group = ray.util.placement_group([{"CPU": cpus}] * workers, strategy="SPREAD")
    ray.get(group.ready())
    places = [Place(group, placement_group_bundle_index=index) for index in range(workers)]

    def on(place: Any, function: Callable[..., Any], *arguments: Any) -> Any:
        options = {"num_cpus": cpus, "max_calls": 1, "max_retries": 0}
        return ray.remote(**options, scheduling_strategy=place)(function).remote(*arguments)

    try:
        hosts = ray.get([on(place, _free_address) for place in places])
        pending = {on(p, _worker, *work, index, hosts): index for index, p in enumerate(places)}
        first: list[str] = []
        while pending:
            (ready,), _ = ray.wait(list(pending), num_returns=1)
            index = pending.pop(ready)
            messages, problem, _ = ray.get(ready)
            first = messages if index == 0 else first
            if problem is not None:
                _cancel(ray, pending)
                return first, problem, None
        return first, None, None
    except ray.exceptions.RayError as error:
        _cancel(ray, pending)
        return [], None, _last_line(error)
    finally:
        ray.util.remove_placement_group(group)


def _free_address() -> str:
    """Address on this node that other workers can reach, with a port that is free now."""
    import ray

    host = ray.util.get_node_ip_address()
    with socket.socket() as free:
        free.bind((host, 0))
        return f"{host}:{free.getsockname()[1]}"


def _worker(
    part: Part, folder: Path, token: str, cpus: int, index: int, hosts: Sequence[str]
) -> Outcome:
    """On a worker: train together with the others, as its place in `TF_CONFIG`."""
    place = {"cluster": {"worker": list(hosts)}, "task": {"type": "worker", "index": index}}
    os.environ["TF_CONFIG"] = json.dumps(place)
    return _run_part(part, folder, token, cpus)


def _cancel(ray: Any, pending: Mapping[Any, Any]) -> None:
    for each in pending:
        ray.cancel(each, force=True)


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
