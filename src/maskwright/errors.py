"""All errors that Maskwright raises deliberately.

A message is one sentence: what was expected, what was received, and how to solve it. The command
line prints it on standard error and exits with `exit_code`.
"""

_MOST_CHARACTERS = 1000  # values of damaged files can be of any length


class MaskwrightError(Exception):
    """Base class of errors that the user can solve; the message becomes one printable line."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str) -> str:
    """Text as one line of bounded length, with escapes for what cannot be printed."""
    line = printable(" ".join(text.encode(errors="backslashreplace").decode().split()))
    if len(line) > _MOST_CHARACTERS:
        half = _MOST_CHARACTERS // 2 - 1
        line = f"{line[:half]}…{line[-half:]}"
    return line


def printable(text: str) -> str:
    """Text with escapes for what a terminal would act on or cannot print, but for line breaks."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


class MaskwrightWarning(UserWarning):
    """Something that the user should know although the work goes on."""


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
