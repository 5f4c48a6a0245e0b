"""The SavedModel bundle: one version of a model in memory, with its session, signatures and card."""

import gc
import itertools
import json
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2

from tfdfm import checksums
from tfdfm.errors import Failure
from tfdfm.serving.status import CODES, StatusError, invalid

v1 = tf.compat.v1
DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
_INIT = "__saved_model_init_op"
_FILES = re.compile(
    r"ReadFile|WriteFile|MatchingFiles|PrintV2|LookupTableExport.*|(Save|Load)Dataset.*|.*(Reader|RecordDataset)(V\d)?"
)


class LoadOptions(NamedTuple):
    """How the versions of all models are loaded."""

    tags: tuple[str, ...] = (tf.saved_model.SERVING,)  # of the meta graph
    session: config_pb2.ConfigProto = config_pb2.ConfigProto()
    warmups: int = 1  # runs of each warm-up request
    check_method_names: bool = False  # of classify and regress: TF2 calls every signature one to predict
    own_batching: bool = False  # a version's batching_params.pbtxt holds for it


DEFAULTS = LoadOptions()


class Signature:
    """A signature that can be called: `check` on any thread, then `run`."""

    def __init__(
        self,
        name: str,
        definition: meta_graph_pb2.SignatureDef,
        session: v1.Session,
        card: Mapping,
        options: LoadOptions = DEFAULTS,
    ):
        self.name, self.definition, self.options = name, definition, options
        self.inputs = {key: (tf.as_dtype(info.dtype), _shape(info)) for key, info in definition.inputs.items()}
        self.outputs = list(definition.outputs)
        infos = [*definition.inputs.values(), *definition.outputs.values()]
        self.mergeable = bool(self.inputs) and all((_shape(info) or [0])[0] == -1 for info in infos)
        self._ours = card.get("format") == "tfdfm"
        classes = card.get("num_classes") if self._ours else None
        self._classes = classes if isinstance(classes, int) else None
        self._call = _callable(definition, session) if all(info.HasField("name") for info in infos) else None

    def check(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The arrays in the order in which `run` takes them. Raises StatusError."""
        if inputs.keys() != self.inputs.keys():
            raise invalid(_mismatch(set(inputs), set(self.inputs)))
        for name, (dtype, shape) in self.inputs.items():
            given = inputs[name]
            if given.dtype != dtype.as_numpy_dtype:
                kind = "string" if given.dtype == object else given.dtype.name
                raise invalid(f"Expects input {name!r} to be {dtype.name} but {kind} is provided.")
            if self._ours and not _fits(given.shape, shape):  # other models decide: their shapes need not be true
                raise invalid(f"Expects input {name!r} of shape {shape} (-1: any size), given {list(given.shape)}.")
        if self._classes is not None:
            self._guard(inputs)
        if not self._call:
            raise invalid(f"Signature {self.name!r} has sparse or composite tensors, which this server does not feed.")
        return [inputs[name] for name in self.inputs]

    def rows(self, feeds: list[np.ndarray]) -> int:
        """How many rows a request adds to a merged run; 0 where it has to run alone."""
        true = all(_fits(feed.shape, shape) for feed, (_, shape) in zip(feeds, self.inputs.values(), strict=True))
        sizes = {len(feed) for feed in feeds} if self.mergeable and true else set()
        return sizes.pop() if len(sizes) == 1 else 0

    def run(self, feeds: list[np.ndarray]) -> list[np.ndarray]:
        """One run of the session; lets go of the GIL. Raises StatusError."""
        try:
            return [_array(output) for output in self._call(*feeds)]
        except tf.errors.OpError as error:
            raise _status_error(error) from None

    def _guard(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Our own models say what they know: labels in range, latents finite."""
        labels, latents = inputs.get("labels"), inputs.get("latents")
        if labels is not None and labels.dtype == np.int64:
            if (wrong := labels[(labels < 0) | (labels >= self._classes)]).size:
                raise invalid(f"Expected labels in [0, {self._classes}), given {wrong[0]}.")
        if latents is not None and latents.dtype.kind == "f" and not np.isfinite(latents).all():
            raise invalid(f"Expected finite latents, given {latents[~np.isfinite(latents)][0]}.")


class SavedModelBundle:
    """A SavedModel in memory, which `close` frees."""

    def __init__(self, path: Path, options: LoadOptions = DEFAULTS):
        """Raises StatusError, Failure."""
        checksums.check(path)
        self.path, self.options, self.card = path, options, _card(path)
        config = v1.ConfigProto(allow_soft_placement=True, gpu_options=v1.GPUOptions(allow_growth=True))
        config.MergeFrom(options.session)
        self._session = v1.Session(graph=tf.Graph(), config=config)
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        try:
            meta = v1.saved_model.loader.load(self._session, self.options.tags, str(self.path))
            if found := _file_operations(meta.graph_def):
                logging.warning("%s can touch files of this user: it has %s.", self.path, ", ".join(found))
            self.signatures = {
                name: Signature(name, definition, self._session, self.card, self.options)
                for name, definition in meta.signature_def.items()
                if name != _INIT
            }
        except tf.errors.OpError as error:
            raise _status_error(error) from None
        except (OSError, RuntimeError, ValueError) as error:
            raise Failure(f"Expected a SavedModel in {self.path}: {error}") from None

    def signature(self, name: str) -> Signature:
        """Raises StatusError (FAILED_PRECONDITION)."""
        name = name or DEFAULT
        if name not in self.signatures:
            raise StatusError(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        return self.signatures[name]

    def close(self) -> None:
        self._session.close()
        self.signatures = {}
        del self._session
        gc.collect()  # graphs are full of cycles


def _file_operations(graph: graph_pb2.GraphDef) -> list[str]:
    """Operations of a model that read or write files when it is asked, beside those that every SavedModel loads by."""
    nodes = itertools.chain(graph.node, *(function.node_def for function in graph.library.function))
    return sorted({node.op for node in nodes if _FILES.fullmatch(node.op)})


def _callable(definition: meta_graph_pb2.SignatureDef, session: v1.Session) -> Callable[..., list[np.ndarray]]:
    """`Session.make_callable` goes through `Session.run` when it is given feeds: 350 us a call, the other one 75."""
    feeds, fetches = ([info.name for info in infos.values()] for infos in (definition.inputs, definition.outputs))
    if set(feeds) & set(fetches):
        return session.make_callable(fetches, feeds)
    return session._make_callable_from_options(config_pb2.CallableOptions(feed=feeds, fetch=fetches))


def _array(output: np.ndarray | np.generic | bytes) -> np.ndarray:
    """A session gives scalars as they are."""
    return np.array(output, object) if isinstance(output, bytes) else np.asarray(output)


def _card(path: Path) -> dict:
    try:
        card = json.loads((path / "assets" / "model_card.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def _shape(info: meta_graph_pb2.TensorInfo) -> list[int] | None:
    return None if info.tensor_shape.unknown_rank else [dim.size for dim in info.tensor_shape.dim]


def _fits(given: tuple[int, ...], shape: list[int] | None) -> bool:
    if shape is None:
        return True
    return len(given) == len(shape) and all(want in (-1, size) for size, want in zip(given, shape, strict=True))


def _mismatch(sent: set[str], wanted: set[str]) -> str:
    extra, missing = (",".join(sorted(names)) for names in (sent - wanted, wanted - sent))
    return (
        f"input size does not match signature: {len(sent)}!={len(wanted)}. "
        f"Sent extra: {{{extra}}}. Missing but required: {{{missing}}}."
    )


def _status_error(error: tf.errors.OpError) -> StatusError:
    message = error.message.partition("\n\t [[")[0]
    return StatusError(CODES.get(error.error_code, grpc.StatusCode.UNKNOWN), message or type(error).__name__)
