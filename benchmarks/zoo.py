"""Every encoder, and every encoder with every decoder: built, trained a step, saved, reloaded.

    python benchmarks/zoo.py --work runs/zoo.jsonl -o docs/architectures.md

measures every encoder (parameters, multiplications, time on this machine) and checks every pair:
images of an odd size, one step of training that reaches every weight, and a file that gives the
same logits again. All decoders sit on one encoder for that, which takes a tenth of the time; where
that fails, pairs are checked one by one. Results are lines in the work file as soon as they are
there, so that a stopped run goes on where it was; encoders run in processes of their own, `--jobs`
of them at a time, or on the nodes of a Ray cluster (`--cluster`), which see the work file under the
same path.
"""

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from maskwright.architectures import ARCHITECTURES

_SIDE_PX = 256
_LEAST_RUNS, _LEAST_SECONDS = 5, 2.0
_CLASSES = 3


def check_pair(
    encoder: str, decoder: str, *, channels: int = 3, export: bool = True, **options: Any
) -> int:
    """Put one pair through everything that is promised of all; the number of its parameters.

    Raises:
        AssertionError: If a promise is broken.
    """
    import keras

    from maskwright.models import SUPERVISION, SegmenterSpec, main_model

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    model = SegmenterSpec(
        _CLASSES,
        encoder_name=encoder,
        decoder_name=decoder,
        channels=channels,
        deep_supervision=decoder in SUPERVISION,
        **options,
    ).build()
    odd = rng.uniform(0, 255, (2, 33, 47, channels)).astype(np.float32)
    _learn(model, odd)
    main = main_model(model)
    other = rng.uniform(0, 255, (1, 64, 32, channels)).astype(np.float32)
    expected = np.asarray(main(other, training=False))
    assert np.isfinite(expected).all(), "the logits are not finite"
    with tempfile.TemporaryDirectory() as folder:
        main.save(Path(folder) / "model.keras")
        again = keras.models.load_model(Path(folder) / "model.keras")
        _require_equal(again(other, training=False), expected, "reloaded")
    if export:
        _require_export(main, (other, odd))
    return int(main.count_params())


def check_together(
    encoder: str,
    decoders: Sequence[str],
    *,
    channels: int = 3,
    export: bool = True,
    **options: Any,
) -> dict[str, int]:
    """Put all pairs of one encoder through what `check_pair` asks, on that one.

    Returns:
        The number of parameters of each pair, by decoder.

    Raises:
        AssertionError: If a promise is broken.
    """
    import keras

    from maskwright.models import PixelFormat
    from maskwright.models import encoder as make

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    encode = make(encoder, PixelFormat(channels), **options)
    joined, heads = _join(encode, decoders, channels)
    odd = rng.uniform(0, 255, (2, 33, 47, channels)).astype(np.float32)
    _learn(joined, odd)
    other = rng.uniform(0, 255, (1, 64, 32, channels)).astype(np.float32)
    expected = [np.asarray(logits) for logits in joined(other, training=False)]
    again = _reloaded_logits(joined, other)
    for name, found, own in zip(joined.output_names, again, expected, strict=True):
        assert np.isfinite(own).all(), f"the logits of {name} are not finite"
        _require_equal(found, own, f"{name} reloaded")
    gc.collect()  # the gradients and the second model, each as large as the first
    if export:
        _require_export(joined, (other, odd))
    shared = encode.model.count_params()
    mains = {d: keras.Model(head.inputs, head.outputs[0]) for d, head in heads.items()}
    return {decoder: int(shared + main.count_params()) for decoder, main in mains.items()}


def _reloaded_logits(model: Any, images: np.ndarray) -> list[np.ndarray]:
    """What a model gives after it was saved and loaded."""
    import keras

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        again = keras.models.load_model(Path(folder) / "model.keras")
    return [np.asarray(logits) for logits in again(images)]


def _learn(model: Any, images: np.ndarray) -> None:
    """Take a step towards logits of zero, which has to reach every weight."""
    import keras
    import tensorflow as tf

    # Activations of untrained networks grow with depth until sigmoids within are steps, and
    # rounding decides what a network gives; so each normalization halves their variance.
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(2 * layer.moving_variance)
    with tf.GradientTape() as tape:
        outputs = tf.nest.flatten(model(images, training=True))
        loss = tf.add_n([tf.reduce_mean(tf.square(logits)) for logits in outputs])
    for logits in outputs:
        assert logits.shape == (*images.shape[:3], _CLASSES), logits.shape
    variables = model.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        assert gradient is not None, f"{variable.path} does not learn"
        assert np.isfinite(gradient).all(), f"the gradient of {variable.path} is not finite"
    # A longer step makes deep networks chaotic: rounding then decides what they give.
    length = 1e-3 / tf.maximum(tf.linalg.global_norm(gradients), 1)
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign_sub(length * tf.convert_to_tensor(gradient))


def _join(encode: Any, decoders: Sequence[str], channels: int) -> tuple[Any, dict[str, Any]]:
    """Model from images to the logits of all decoders, and the part of each decoder in it."""
    import keras
    import tensorflow as tf

    from maskwright.models import DECODERS, SUPERVISION, PadToMultiple, segmenter

    images = keras.Input((None, None, channels), name="images")
    features = encode(PadToMultiple(max(encode.strides), name="pad")(images))
    heads = {}
    for decoder in decoders:
        whole = segmenter(
            encode,
            DECODERS[decoder],
            _CLASSES,
            channels=channels,
            deep_supervision=decoder in SUPERVISION,
        )
        given = encode.model._inbound_nodes[-1].output_tensors
        heads[decoder] = keras.Model([*whole.inputs, *given], whole.outputs, name=decoder)
    outputs = [head([images, *features.values()]) for head in heads.values()]
    return keras.Model(images, tf.nest.flatten(outputs)), heads


def _require_export(model: Any, batches: Sequence[np.ndarray]) -> None:
    """Serve batches from a SavedModel as the model does."""
    import tensorflow as tf

    # What `model.export` does, in a third of the time.
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    module.serve = tf.function(
        lambda images: model(images, training=False),
        input_signature=[tf.TensorSpec((None, None, None, batches[0].shape[-1]))],
        autograph=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder)
        loaded = tf.saved_model.load(folder)
        for images in batches:
            expected = tf.nest.flatten(model(images, training=False))
            found = tf.nest.flatten(loaded.serve(images))
            for name, one, own in zip(model.output_names, found, expected, strict=True):
                _require_equal(one, own, f"{name} exported")


def _require_equal(found: Any, expected: Any, what: str) -> None:
    scale = max(float(np.abs(expected).max()), 1.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * scale, err_msg=what)


def measure_encoder(name: str) -> dict[str, Any]:
    """Features, parameters, multiply-adds and milliseconds of one encoder on an image of 256 px."""
    import tensorflow as tf

    from counting import multiply_adds
    from maskwright.models import encoder

    made = encoder(name)
    images = tf.random.uniform((1, _SIDE_PX, _SIDE_PX, 3), 0, 255, seed=0)
    run = tf.function(lambda x: made.model(x, training=False), autograph=False)
    channels = [output.shape[-1] for output in made.model.outputs]
    seconds: list[float] = []
    run(images)
    while len(seconds) < _LEAST_RUNS or sum(seconds) < _LEAST_SECONDS:
        began = time.perf_counter()
        tf.nest.map_structure(np.asarray, run(images))
        seconds.append(time.perf_counter() - began)
    return {
        "features": dict(zip(made.strides, channels, strict=True)),
        "parameters": int(made.model.count_params()),
        "multiply_adds": multiply_adds(made.model, images.shape),
        "milliseconds": round(1000 * float(np.median(seconds)), 1),
    }


def fill(work: Path, encoder: str, decoders: Sequence[str], export: bool) -> None:
    """Do what is missing of one encoder, a line each."""
    done = {(line["encoder"], line.get("decoder")) for line in read(work)}
    missing = [decoder for decoder in (None, *decoders) if (encoder, decoder) not in done]
    together = [decoder for decoder in missing if decoder is not None]
    if len(together) > 1:
        try:
            found = check_together(encoder, together, export=export)
        except Exception as error:
            print(f"{encoder}: {error}; its pairs are checked one by one", file=sys.stderr)
        else:
            with work.open("a", encoding="utf-8") as file:
                for decoder, parameters in found.items():
                    line = {"encoder": encoder, "decoder": decoder, "parameters": parameters}
                    file.write(json.dumps(line) + "\n")
            missing = missing[: 1 if missing[0] is None else 0]
        _forget()
    for decoder in missing:
        line: dict[str, Any] = {"encoder": encoder}
        try:
            if decoder is None:
                line |= measure_encoder(encoder)
            else:
                line |= {
                    "decoder": decoder,
                    "parameters": check_pair(encoder, decoder, export=export),
                }
        except Exception as error:
            line |= {"decoder": decoder, "failed": f"{type(error).__name__}: {error}"[:300]}
        with work.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        _forget()


def _forget() -> None:
    import keras

    keras.backend.clear_session()
    gc.collect()


def read(work: Path) -> list[dict[str, Any]]:
    """What has been measured and checked so far."""
    if not work.exists():
        return []
    return [json.loads(line) for line in work.read_text(encoding="utf-8").splitlines()]


def page(lines: Sequence[dict[str, Any]], encoders: Sequence[str], decoders: Sequence[str]) -> str:
    """Markdown of both tables."""
    alone = {line["encoder"]: line for line in lines if "milliseconds" in line}
    pairs = {(line["encoder"], line["decoder"]): line for line in lines if line.get("decoder")}
    text = [_HEAD]
    text.append(
        "| encoder | channels at stride 1, 2, 4, 8, 16, 32 | parameters, M |"
        " multiply-adds, G | ms |\n|---|---|---|---|---|"
    )
    for name in encoders:
        if (row := alone.get(name)) is None:
            continue
        channels = [str(row["features"].get(str(2**power), "-")) for power in range(6)]
        text.append(
            f"| `{name}` | {' '.join(channels)} | {row['parameters'] / 1e6:.2f} |"
            f" {row['multiply_adds'] / 1e9:.2f} | {row['milliseconds']:.0f} |"
        )
    text.append(_PAIRS)
    text.append("| | " + " | ".join(f"`{name}`" for name in decoders) + " |")
    text.append("|---" * (len(decoders) + 1) + "|")
    for name in encoders:
        cells = [pairs.get((name, decoder)) for decoder in decoders]
        if any(cells):
            text.append(f"| `{name}` | " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join([*text, published()]) + "\n"


def published() -> str:
    """Markdown of the published networks."""
    rows = [
        f"| `{name}` | {item.encoder} | {item.decoder} | {item.note} | {item.source} |"
        for name, item in ARCHITECTURES.items()
    ]
    return "\n".join([_PUBLISHED, *rows])


def _cell(line: dict[str, Any] | None) -> str:
    if line is None:
        return ""
    return "failed" if "failed" in line else f"{line['parameters'] / 1e6:.1f}"


_HEAD = f"""# Encoders and decoders

Generated by `python benchmarks/zoo.py --work runs/zoo.jsonl -o docs/architectures.md`.

## Encoders

Parameters without a classifier; multiply-adds and time of one image of {_SIDE_PX}x{_SIDE_PX} px
by a compiled function on two cores of a shared server CPU, the median of at least five runs.
"""
_PAIRS = """
## Every encoder with every decoder

Parameters in millions, for three classes. Each pair with a number was built, applied to images of
an odd size, trained for one step with a gradient for each weight, and saved and loaded with equal
logits. The decoders of a row share the encoder, the step and the file. The tests also export them:
all decoders with one encoder, a short encoder of each kind with one decoder, and all decoders with
each encoder by `pytest -m slow tests/contracts`.
"""
_PUBLISHED = """
## Published networks

`--set preset=NAME`, or `maskwright.models.architecture(NAME, num_classes)` in Python.

| preset | encoder | decoder | what it is | source |
|---|---|---|---|---|"""


def in_a_process(work: Path, arguments: Sequence[str], name: str, *_: Any) -> None:
    """Do what is missing of an encoder in a process of its own."""
    here = ["--work", str(work), "--only", name, *arguments, "--inside"]
    subprocess.run([sys.executable, __file__, *here], check=False)
    print(name, file=sys.stderr)


def on_cluster(work: Path, arguments: Sequence[str], names: Sequence[str], cluster: str) -> None:
    """Do what is missing of encoders on a cluster, whose nodes write a file for each of them."""
    from maskwright.training.on_cluster import run_parts

    files = {name: work.with_name(f"{work.stem}-{name}.jsonl") for name in names}
    known = [json.dumps(line) for line in read(work)]
    for name, file in files.items():
        of_it = [line for line in known if json.loads(line)["encoder"] == name]
        if not file.exists():  # else of a run that was stopped
            file.write_text("".join(f"{line}\n" for line in of_it), encoding="utf-8")
    parts = {
        name: lambda _, name=name, file=file: partial(in_a_process, file, arguments, name)
        for name, file in files.items()
    }
    run_parts(parts, work.parent, cluster, lambda text: print(text, file=sys.stderr))
    with work.open("a", encoding="utf-8") as joined:
        for file in files.values():
            new = [
                line for line in file.read_text(encoding="utf-8").splitlines() if line not in known
            ]
            joined.writelines(f"{line}\n" for line in new)
            file.unlink()


def main(
    work: Annotated[Path, typer.Option(help="File of results, gone on with where it exists.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Page to write.")] = None,
    only: Annotated[str, typer.Option(help="Encoders, with commas; all when left out.")] = "",
    decoders: Annotated[str, typer.Option(help="Decoders, with commas; all, or none.")] = "",
    export: Annotated[bool, typer.Option("--export", help="Export every pair too.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; 1 where times count.")] = 1,
    cluster: Annotated[str | None, typer.Option(help="Address of a Ray cluster, or local.")] = None,
    inside: Annotated[bool, typer.Option("--inside", hidden=True)] = False,
) -> None:
    """Measure and check what is missing, then write the page."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from maskwright.models import DECODERS, ENCODERS

    names = only.split(",") if only else list(ENCODERS)
    wanted = [] if decoders == "none" else decoders.split(",") if decoders else list(DECODERS)
    if inside:
        fill(work, names[0], wanted, export)
        return
    work.parent.mkdir(parents=True, exist_ok=True)

    arguments = ["--decoders", ",".join(wanted) or "none", *(["--export"] if export else [])]
    if cluster is None:
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(partial(in_a_process, work.resolve(), arguments), names))
    else:
        on_cluster(work.resolve(), arguments, names, cluster)
    lines = read(work)
    for line in lines:
        if "failed" in line:
            print(f"{line['encoder']} {line['decoder']}: {line['failed']}", file=sys.stderr)
    if out is not None:
        out.write_text(page(lines, list(ENCODERS), list(DECODERS)), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
