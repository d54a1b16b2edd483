"""What benchmarks of whole runs share: `maskwright` as a user calls it, each call a process.

What is there already is not made again, so that a stopped benchmark goes on where it was.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def call(*arguments: str | Path) -> str:
    """Standard output of a command; raises `CalledProcessError` where it fails."""
    command = [Path(sys.executable).with_name("maskwright"), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def plan(data: str | Path, path: Path, minutes: float, encoder_weights: str | None) -> Path:
    """Plan for a data set, written to `path`."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = f"encoder_weights={encoder_weights or 'none'}"
        call("plan", data, "-o", path, "--minutes", str(minutes), "--set", weights)
    return path


def train(
    data: str | Path, run: Path, plan: Path | None, minutes: float, *settings: str
) -> dict[str, Any]:
    """Train a run unless it is there, and give its scores on the test split."""
    if not (run / "model_card.json").exists():
        chosen = [] if plan is None else ["--plan", plan]
        given = [part for setting in settings for part in ("--set", setting)]
        call("train", data, "-o", run, "--minutes", str(minutes), *chosen, *given)
    scores = run / "evaluation" / "test" / "scores.json"
    if not scores.exists():
        call("evaluate", run, data)
    return json.loads(scores.read_text(encoding="utf-8"))


def compare(first: Path, second: Path, data: str | Path) -> dict[str, Any]:
    """Paired differences between two runs on the test split."""
    return json.loads(call("compare", first, second, data, "--json"))
