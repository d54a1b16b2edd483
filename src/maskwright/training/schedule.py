"""Learning rate over a run, as a function of how much of the run is over.

Keras's schedules count steps towards a number known beforehand. A run with a budget of minutes has
no such number: its share is time, so that the rate has fallen where it should when time is up.
"""

import math

from maskwright.errors import ConfigError

SCHEDULES = ("cosine", "polynomial", "constant")


def rate_factor(
    share: float, schedule: str = "cosine", warmup: float = 0.0, final: float = 0.01
) -> float:
    """What the peak learning rate is multiplied with.

    Args:
        share: Of the run that is over, 0 to 1.
        schedule: `"cosine"`, `"polynomial"` (power 0.9, as DeepLab trains) or `"constant"`.
        warmup: Share of the run in which the rate climbs evenly from nothing.
        final: Factor at the end; a constant rate has none.

    Raises:
        ConfigError: If there is no such schedule.
    """
    if schedule not in SCHEDULES:
        raise ConfigError(f"Expected a schedule of {', '.join(SCHEDULES)}; received {schedule!r}.")
    share = min(max(share, 0.0), 1.0)
    if share < warmup:
        return share / warmup
    rest = (share - warmup) / (1 - warmup) if warmup < 1 else 1.0
    if schedule == "constant":
        return 1.0
    fallen = (1 + math.cos(math.pi * rest)) / 2 if schedule == "cosine" else (1 - rest) ** 0.9
    return final + (1 - final) * fallen
