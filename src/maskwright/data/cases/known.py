"""What is recorded of images, by the hashes of their pixels."""

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownImages:
    """Hashes of images, as `DataSet.content_hash` gives them.

    `learned` are not to be scored, as a model has seen them. The images of each group of `copies`
    and of `videos` belong together though they are of several cases, as an audit has found.
    """

    learned: frozenset[str] = frozenset()
    copies: tuple[frozenset[str], ...] = ()
    videos: tuple[frozenset[str], ...] = ()
