"""Every error that Maskwright raises on purpose, on one page.

The message is one sentence for the person at the keyboard: what was expected, what came, what to
do. The command line prints it on standard error and ends with `exit_code`.
"""


class MaskwrightError(Exception):
    """Something the user can mend; the message says what and how."""

    exit_code = 1


class DataError(MaskwrightError):
    """An image, a mask or a data set that cannot be used as it is."""


class TooLargeError(DataError):
    """An image of more pixels than are decoded."""


class ConfigError(MaskwrightError):
    """A setting or an argument that does not exist or cannot have this value."""

    exit_code = 2


class ModelError(MaskwrightError):
    """A model, its weights or its card that cannot be built or loaded."""


class TrainingError(MaskwrightError):
    """Training that cannot start or go on; the last good checkpoint is kept."""


class StoppedError(TrainingError):
    """Training that a signal ended, and that nothing is wrong with."""
