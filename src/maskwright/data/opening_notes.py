"""Notes on what opening a data set did: cases united, splits created, files skipped."""

from collections.abc import Iterator, Sequence

from maskwright.data.samples import Note, Sample, SkippedFile, counted

_MAX_GROUPS = 3  # of copies that a note names


def object_notes(samples: Sequence[Sample], components: bool) -> Iterator[Note]:
    """Note on what the objects are, where the masks themselves hold classes."""
    if components:
        text = "Each connected component of a class is one object, as data.yaml states."
        yield Note("objects", text)
        return
    files = [s.instances for s in samples if s.instances and s.instances.suffix != ".json"]
    if not files:
        return
    folder, total = files[0].parent.name, counted(len(samples), "image")
    if len(files) == len(samples):
        text = f"Each number in the files of {folder}/ is one object (0 is background)."
    else:
        text = (
            f"Only {len(files)} of {total} have a file of object numbers in {folder}/: models of "
            f"objects need one for each, masks of classes do not."
        )
    yield Note("objects", text)


def opening_notes(
    copies: Sequence[Sequence[str]],
    created: Sequence[str],
    seed: int,
    skipped: Sequence[SkippedFile],
) -> Iterator[Note]:
    """Notes on copies whose cases were united, splits that were created, and skipped files."""
    if copies:
        shown = "; ".join(" = ".join(group[:4]) for group in copies[:_MAX_GROUPS])
        more = f" and {len(copies) - _MAX_GROUPS} more" if len(copies) > _MAX_GROUPS else ""
        yield Note(
            "united_duplicates",
            f"{counted(len(copies), 'group')} of images show nearly the same ({shown}{more}); each "
            f"is one case, together with the cases of its images.",
        )
    if created:
        yield Note(
            "splits_created",
            f"No {' and no '.join(created)} split is given: drawn from the training samples in "
            f"whole cases, by the name of each and the seed {seed}, so that files added later move "
            f"none to the test split, but for classes in very few cases.",
        )
    if skipped:
        first = skipped[0]
        about = first.reason if first.broken else f"{first.path.name}, {first.reason}."
        yield Note("skipped", f"{len(skipped)} skipped; the first: {about}")
