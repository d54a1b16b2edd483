"""All errors that Maskwright raises deliberately.

A message is one sentence: what was expected, what was received, and how to solve it. The command
line prints it on standard error and exits with `exit_code`.
"""


class MaskwrightError(Exception):
    """Base class of errors that the user can solve."""

    exit_code = 1


class DataError(MaskwrightError):
    """An image, a mask or a data set is invalid."""


class TooLargeError(DataError):
    """An image exceeds the maximum number of pixels."""


class ConfigError(MaskwrightError):
    """A setting or argument does not exist or has an invalid value."""

    exit_code = 2


class ModelError(MaskwrightError):
    """A model, its weights or its model card cannot be built or loaded."""


class TrainingError(MaskwrightError):
    """Training cannot start or continue; the last checkpoint remains."""


class StoppedError(TrainingError):
    """Training was interrupted by a signal."""
