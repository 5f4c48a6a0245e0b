"""One version of a servable, written from a sampler: a SavedModel with its card, class names and warm-up requests."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from tfdfm import checksums, files, latents
from tfdfm.networks.layers import BatchStatistics
from tfdfm.sampling.restore import Trained
from tfdfm.sampling.sampler import Sampler
from tfdfm.sampling.sources import BATCH
from tfdfm.version import __version__

CARD, CLASSES = "model_card.json", "class_names.txt"
ABANDONED = 24 * 3600  # seconds without a change


def card(trained: Trained, scores: Mapping) -> dict:
    """What a user of the model should know and no tensor says."""
    config = trained.config
    return {
        "format": "tfdfm",
        "recipe": config.to_dict(),
        "dataset": config.dataset,
        "step": trained.step,
        "image_size": config.image_size,
        "channels": trained.channels,
        "range": [0, 1],
        "num_classes": len(trained.class_names),
        "class_names": list(trained.class_names),
        "latent_size": config.latent_size,
        "prior": config.prior,
        "weights": trained.weights,
        "scores": dict(scores),
        "tfdfm": __version__,
        "tensorflow": tf.__version__,
    }


def estimate_batch_norm(trained: Trained, count: int) -> None:
    """Sets the batch-norm statistics to the mean of those of batches of 64, `count` latents in all (rounded up).

    Brock et al., "Large scale GAN training" (ICLR 2019), appendix A: "standing statistics". Labels take turns. Of an
    ensemble each model has so many.
    """
    for member in trained.members:
        estimate_batch_norm(member, count)
    if trained.members:
        return
    classes, config = len(trained.class_names), trained.config
    batches = -(-count // BATCH)
    sums: dict[str, tuple] = {}
    for batch in range(batches):
        place = tf.range(batch * BATCH, (batch + 1) * BATCH, dtype=tf.int64)
        statistics = BatchStatistics()
        drawn = latents.from_seeds(-1 - place, config.latent_size, config.prior)  # seeds that nobody starts with
        trained.generator(drawn, labels=place % classes if classes else None, statistics=statistics)
        for variable, value in statistics.recorded:
            sums[variable.path] = variable, sums.get(variable.path, (None, 0.0))[1] + value.numpy().astype(np.float64)
    for variable, value in sums.values():
        variable.assign(value / batches)


def write(trained: Trained, out: Path, scores: Mapping = (), *, half: bool = False, page: str = "") -> Path:
    """Writes OUT/<version>/, one above the highest there; a server that polls OUT sees all of it or nothing.

    `page` is its README.md, if any.

    Raises:
        Failure: the disk refuses; nothing new is in OUT.
        UsageError: as `Sampler`, which keeps the weights as `half` says.
    """
    sampler = Sampler(trained, half=half)
    with files.writing(out), tempfile.TemporaryDirectory() as assets:
        (Path(assets) / CARD).write_text(json.dumps(card(trained, scores), indent=2) + "\n")
        (Path(assets) / CLASSES).write_text("".join(f"{name}\n" for name in trained.class_names))
        sampler.model_card = tf.saved_model.Asset(f"{assets}/{CARD}")
        sampler.class_names = tf.saved_model.Asset(f"{assets}/{CLASSES}")
        return publish(out, lambda path: _save(sampler, path, page))


def publish(out: Path, fill: Callable[[Path], None]) -> Path:
    """The next version's folder of OUT, there once it is filled. Raises Failure, and whatever `fill` does."""
    with files.writing(out):
        files.make_folder(out)
        for left in out.glob(".export-*"):  # by one that was killed
            with suppress(OSError):  # gone meanwhile
                if time.time() - left.stat().st_mtime > ABANDONED:
                    shutil.rmtree(left)
        temporary = Path(tempfile.mkdtemp(prefix=".export-", dir=out))  # no integer: no version yet
        try:
            fill(temporary)
            os.chmod(temporary, 0o755)  # it was its owner's alone; a container's server is another user
            for path in (*temporary.rglob("*"), temporary):
                files.sync(path)
            target = _numbered(temporary, out)
            files.sync(out)
            return target
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def versions(out: Path) -> list[int]:
    """Ascending."""
    return sorted(int(path.name) for path in out.iterdir() if path.name.isdecimal() and path.is_dir())


def _save(sampler: Sampler, path: Path, page: str) -> None:
    signatures = sampler.signatures()
    for name, function in signatures.items():  # one name for attribute and signature
        setattr(sampler, name, function)
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(sampler, str(path), signatures=signatures, options=options)
    extra = path / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as file:
        for name, function in signatures.items():
            for rows in (1, BATCH):
                file.write(_warmup(name, function.input_signature[0], rows).SerializeToString())
    checksums.write(path)
    if page:  # which its owner may change
        (path / "README.md").write_text(page)


def _warmup(name: str, specs: dict[str, tf.TensorSpec], rows: int) -> prediction_log_pb2.PredictionLog:
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = name
    for key, spec in specs.items():
        zeros = np.zeros([rows, *spec.shape[1:]], spec.dtype.as_numpy_dtype)
        request.inputs[key].CopyFrom(tf.make_tensor_proto(zeros))
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))


def _numbered(temporary: Path, out: Path) -> Path:
    while True:
        target = out / str(max(versions(out), default=0) + 1)
        try:
            return temporary.rename(target)
        except OSError:
            if not target.exists():
                raise  # else another export took the number
