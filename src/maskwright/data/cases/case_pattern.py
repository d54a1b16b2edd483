"""Cases that a pattern finds in names, in bounded time."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence

from maskwright.errors import ConfigError

_SECONDS = 5
_SEARCH = (
    "import json, re, sys; pattern, names = json.load(sys.stdin); "
    "found = (re.search(pattern, name) for name in names); "
    "json.dump([match and match[1] for match in found], sys.stdout)"
)


def find_cases(pattern: str, names: Sequence[str], alternatives: str = "") -> list[str]:
    """What the first group of a pattern finds in each name.

    The names are searched by another process, as patterns such as `^(a+)+$` can take for ever.
    `alternatives` are what else could have been given, a phrase. `ConfigError` for a pattern that
    is wrong, has no group, takes too long, or finds nothing in a name.
    """
    shown = f"{pattern:.100}"
    try:
        groups = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(f"The pattern {shown!r} to group by is wrong: {error}.") from None
    if groups < 1:
        raise ConfigError(
            f"Cannot group by {shown!r}; expected {alternatives}a pattern with a group in "
            f"brackets, such as '(.+)_[0-9]+', that matches the case in a name."
        )
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SEARCH],
            input=json.dumps([pattern, list(names)]),
            capture_output=True,
            check=True,
            text=True,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"The pattern {shown!r} to group by takes more than {_SECONDS} seconds; expected one "
            f"without repetitions within repetitions."
        ) from None
    cases: list[str] = json.loads(done.stdout)
    for name, case in zip(names, cases, strict=True):
        if not case:
            raise ConfigError(
                f"The pattern {shown!r} finds no case in the name {name!r}; expected one that fits "
                f"all names."
            )
    return cases
