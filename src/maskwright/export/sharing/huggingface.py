"""Model card of Hugging Face: `README.md` with metadata in YAML at its head."""

from typing import Any

from maskwright.export.sharing.facts import (
    Measured,
    Publication,
    data_name,
    limits_of,
    sentence,
)
from maskwright.imageio import dump_yaml
from maskwright.model_card import ModelCard


def model_readme(card: ModelCard, publication: Publication, measured: Measured | None) -> str:
    """Text of `README.md`."""
    head = dump_yaml(hub_metadata(card, publication, measured), allow_unicode=True)
    return f"---\n{head}---\n\n{readme_body(card, publication, measured)}"


def hub_metadata(
    card: ModelCard, publication: Publication, measured: Measured | None
) -> dict[str, Any]:
    """Metadata as the hub of Hugging Face reads them."""
    values: dict[str, Any] = {
        "license": publication.license.lower(),
        "library_name": "maskwright",
        "pipeline_tag": card.hub_task,
        "tags": ["maskwright", "keras", "onnx", card.task],
    }
    if measured is None or not measured.scores:
        return values
    name = data_name(publication, card)
    metrics = [
        {"type": score.key, "name": score.title, "value": round(score.value, 4)}
        for score in measured.scores
    ]
    result = {
        "task": {"type": card.hub_task, "name": card.hub_task.replace("-", " ")},
        "dataset": {"type": name.lower(), "name": name, "split": measured.split},
        "metrics": metrics,
    }
    return {**values, "model-index": [{"name": publication.name, "results": [result]}]}


def readme_body(card: ModelCard, publication: Publication, measured: Measured | None) -> str:
    """The same in words: purpose, use, data, scores and limits."""
    classes = [f"| {label} | {_cell(name)} |" for label, name in enumerate(card.class_names)]
    parts = [
        f"# {publication.name}",
        sentence(card, publication),
        "## Classes",
        "\n".join(["| label | class |", "|---|---|", *classes]),
        "## Intended use",
        f"{card.task} on images like those of {data_name(publication, card)}. It is no medical "
        f"device and decides nothing on its own: have results reviewed where errors matter.",
        "## Use",
        "With Maskwright, from the exported model or the run:\n\n"
        '```\npip install "maskwright[onnx]"\nmaskwright predict MODEL images/ -o masks/\n```',
        "## Training data",
        f"{data_name(publication, card)}.",
        "## Validation",
        _evaluation(measured),
        "## Limits",
        "\n".join(f"- {limit}" for limit in limits_of(card)),
        "## Model",
        f"Trained with Maskwright {card.version}. SHA-256 `{card.model_sha256}`.",
    ]
    if publication.authors:
        parts += ["## Authors", ", ".join(publication.authors) + "."]
    if publication.cite:
        parts += ["## Citation", publication.cite]
    return "\n\n".join(parts) + "\n"


def _evaluation(measured: Measured | None) -> str:
    if measured is None:
        return "The model has not been evaluated; run `maskwright evaluate` before you publish it."
    rows = []
    for score in measured.scores:
        ends = "" if score.interval is None else "{:.3f} to {:.3f}".format(*score.interval)
        rows.append(f"| {score.title} | {score.value:.3f} | {ends} |")
    return "\n".join(
        [
            f"Split `{measured.split}`: {measured.images} images of {measured.cases} cases.\n",
            "| score | value | 95 % interval |",
            "|---|---|---|",
            *rows,
        ]
    )


def _cell(text: str) -> str:
    """Text that stays in its cell of a Markdown table."""
    return text.replace("|", "\\|")
