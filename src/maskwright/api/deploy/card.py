"""The verb that describes a trained model for those who publish it."""

import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from maskwright.api.deploy.export import export_model
from maskwright.arguments import checked
from maskwright.errors import ConfigError
from maskwright.export.ensemble import is_ensemble
from maskwright.export.export_run import require_free
from maskwright.export.postprocessed.graph import POSTPROCESSED_FILE
from maskwright.export.sharing import bioimageio
from maskwright.export.sharing.facts import Publication, read_measured, require
from maskwright.export.sharing.huggingface import model_readme, readme_body
from maskwright.imageio import scratch_folder, write_text
from maskwright.model_card import CARD_FILE, read_task
from maskwright.tasks.registry import TASKS
from maskwright.types import CardFormat

README_FILE = "README.md"


@checked
def write_card(
    run: str | Path,
    out: str | Path,
    publication: Publication,
    *,
    format: CardFormat,
    split: str = "test",
) -> tuple[str, ...]:
    """Write the description of a model into a folder, for a hub; nothing is sent anywhere.

    Args:
        run: Folder of a finished run.
        out: Folder to make: with `README.md` for `"huggingface"`; for `"bioimageio"` also with
            `rdf.yaml`, the network with all steps inside, and test arrays.
        split: Whose scores are told, as `evaluate` wrote them into the run.

    Returns:
        Sentences on what the card does not say.
    """
    folder, target = Path(run), Path(out)
    require(publication.license, "--license with an SPDX identifier", "A published model")
    require_free(target)
    task = TASKS[read_task(folder / CARD_FILE, TASKS)]
    card: Any = task.export.card.read(folder / CARD_FILE)
    said = replace(publication, name=publication.name or folder.resolve().name)
    measured = read_measured(folder, split, card)
    notes: list[str] = []
    if measured is None:
        notes.append(
            f"{run} has no scores of the split {split}, so that the card tells none: run "
            f"`maskwright evaluate` first, or name another split with --split."
        )
    if format == "huggingface":
        with scratch_folder(target) as made:
            write_text(made / README_FILE, model_readme(card, said, measured))
            made.replace(target)
        return tuple(notes)
    if not task.export.image_files or is_ensemble(folder):
        raise ConfigError(
            f"bioimage.io describes single networks from images to masks of classes; {run} is "
            f"{'an ensemble' if is_ensemble(folder) else f'for the task {task.name}'}: write its "
            f"card with --format huggingface."
        )
    bioimageio.check_publication(said)
    with TemporaryDirectory() as scratch, scratch_folder(target) as made:
        exported = Path(scratch) / "model"
        notes += export_model(folder, exported, format="onnx", with_postprocessing=True).notes
        shutil.copyfile(exported / POSTPROCESSED_FILE, made / bioimageio.NETWORK_FILE)
        write_text(made / README_FILE, readme_body(card, said, measured))
        bioimageio.write_model(made, card, said)
        made.replace(target)
    return tuple(notes)
