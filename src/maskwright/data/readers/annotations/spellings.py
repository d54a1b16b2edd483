"""Names of classes that differ in their spelling alone, as `Dent`, `dent` and `dent ` do."""

from collections.abc import Sequence
from dataclasses import replace

from maskwright.data.readers.annotations.base import Annotations
from maskwright.data.samples import Doubt, grouped, join_words, yaml_line
from maskwright.labels import BACKGROUND_NAMES


def unite_spellings(annotations: Annotations, stated: Sequence[str] | None) -> None:
    """Leave out spaces around names, and give names the spelling of the classes in data.yaml.

    Without those, names that differ in upper and lower case alone are a doubt.
    """
    used = [each.class_name for image in annotations.images for each in image.objects]
    names = list(dict.fromkeys(map(_trimmed, [*annotations.classes, *filter(None, used)])))
    if stated is None:
        spellings = grouped(names, str.casefold).values()
        annotations.remarks += _doubts([each for each in spellings if len(each) > 1], names)
        preferred = {}
    else:
        listed = grouped(stated, lambda name: _trimmed(name).casefold())
        preferred = {key: each[0] for key, each in listed.items() if len(each) == 1}

    def spelled(name: str) -> str:
        name = _trimmed(name)
        return preferred.get(name.casefold(), name)

    annotations.classes[:] = dict.fromkeys(map(spelled, annotations.classes))
    for image in annotations.images:
        image.objects[:] = [replace(o, class_name=spelled(o.class_name)) for o in image.objects]


def _trimmed(name: str) -> str:
    return " ".join(name.split())


def _doubts(groups: Sequence[Sequence[str]], names: Sequence[str]) -> list[Doubt]:
    if not groups:
        return []
    others = [name for name in names if name.casefold() not in BACKGROUND_NAMES]
    doubles = {name for group in groups for name in group[1:]}
    united = ["background", *(name for name in others if name not in doubles)]
    return [
        Doubt(
            "spellings",
            f"The classes {join_words(groups[0], ' and ')} differ in upper and lower case alone.",
            f"Write {yaml_line('classes', united)} into data.yaml to unite them, or "
            f"{yaml_line('classes', ['background', *others])} to tell them apart.",
        )
    ]
