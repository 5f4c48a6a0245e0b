"""The client: images and latents by seed, split into requests that every server takes."""

import io
import itertools
import math
import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from urllib.parse import urlsplit

import numpy as np

from tfdfm.client.endpoint import Endpoint, EndpointError, SignatureSpec, TensorSpec
from tfdfm.client.rest import RestEndpoint
from tfdfm.errors import UsageError

_MESSAGE = (4 << 20) - (1 << 16)  # bytes: the usual limit of gRPC's messages, less room for names
_ROWS = 64  # of one request: the servers' usual limit of a batch
_WIDTHS = {"DT_FLOAT": 4, "DT_INT64": 8}  # bytes
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds between attempts, doubled each time


def connect(
    endpoint: str, model: str = "default", version: int | None = None, timeout: float = 60.0, token: str = ""
) -> "Client":
    """A client of `model` (its newest version unless one is given), which is asked once what it takes and returns.

    `timeout` is of each call of the client in all, in seconds, however many requests it needs. `token` is the bearer
    token that the server asks for, if it does.

    Raises:
        UsageError: an address that cannot be one, or a model that is no image generator of seeds.
        EndpointError: there is no such server or model.
    """
    scheme, address = _address(endpoint)
    if scheme.startswith("grpc"):
        return _grpc_client(address, model, version, timeout, token, tls=scheme == "grpcs")
    rest = RestEndpoint(f"{scheme or 'http'}://{address}", model, version, token)
    try:
        return _client(rest, timeout)
    except EndpointError:
        if scheme or rest.speaks_http:
            raise
    return _grpc_client(address, model, version, timeout, token)


class Client:
    """Images of one model at one endpoint. The same seed (and label) is always the same image.

    seeds:  int64 numbers, one for each image
    labels: one class for all or one for each image. A conditional model draws them by the seeds in `images` if left
            out; an unconditional one takes none.

    Every method raises EndpointError for what the server refuses, and UsageError for what cannot be asked. A server
    that is UNAVAILABLE is asked again until the timeout. Large calls are split into requests that every server takes.
    """

    def __init__(self, endpoint: Endpoint, signatures: dict[str, SignatureSpec], timeout: float):
        self._endpoint, self._signatures, self._timeout = endpoint, signatures, timeout
        try:
            self.image_shape = signatures["serving_default"].outputs["images"].shape[1:]  # (H, W, C)
            self.conditional = "labels" in signatures["serving_default"].inputs
            self.latent_size = signatures["from_latents"].inputs["latents"].shape[1]
        except LookupError:
            known = ", ".join(sorted(signatures)) or "none"
            raise UsageError(
                f"Expected at {endpoint.address} a model exported by tfdfm, given one with the signatures: {known}."
            ) from None

    @cached_property
    def num_classes(self) -> int:
        """0: unconditional."""
        return int(self._run("latents", {"seed": np.zeros(1, np.int64)})["num_classes"][0]) if self.conditional else 0

    def images(self, seeds: Iterable[int], labels: int | Iterable[int] | None = None) -> np.ndarray:
        """float32 [N, H, W, C] in [0, 1]."""
        inputs = {"seed": _integers("seeds", seeds)}
        if labels is None and self.conditional:
            return self._pictures("unconditional", inputs)
        return self._pictures("serving_default", inputs | self._labels(labels, len(inputs["seed"])))

    def pngs(self, seeds: Iterable[int], labels: int | Iterable[int] | None = None) -> list[bytes]:
        """The PNG file of each image."""
        inputs = {"seed": _integers("seeds", seeds)}
        inputs |= self._labels(labels, len(inputs["seed"]))
        files = self._run("png", inputs)["image_bytes"]
        self._no_gaps(inputs, [not file for file in files])
        return files.tolist()

    def uint8(self, seeds: Iterable[int], labels: int | Iterable[int] | None = None) -> np.ndarray:
        """uint8 [N, H, W, C], sent as PNG: a tenth of the bytes of `images`."""
        from PIL import Image

        files = self.pngs(seeds, labels)
        return np.stack([np.asarray(Image.open(io.BytesIO(file))).reshape(self.image_shape) for file in files])

    def latents(self, seeds: Iterable[int]) -> tuple[np.ndarray, str]:
        """float32 [N, Z] and the prior that they were drawn from: "uniform" (on [-1, 1]) or "normal"."""
        answer = self._run("latents", {"seed": _integers("seeds", seeds)})
        return answer["latents"], answer["prior"][0].decode()

    def from_latents(self, latents: np.ndarray, labels: int | Iterable[int] | None = None) -> np.ndarray:
        """float32 [N, Z] -> float32 [N, H, W, C] in [0, 1]."""
        latents = np.asarray(latents, np.float32)
        if latents.ndim != 2 or latents.shape[1] != self.latent_size or not len(latents):
            raise UsageError(f"Expected latents of shape [N, {self.latent_size}], given {list(latents.shape)}.")
        return self._pictures("from_latents", {"latents": latents} | self._labels(labels, len(latents)))

    def close(self) -> None:
        self._endpoint.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def _labels(self, labels: int | Iterable[int] | None, count: int) -> dict[str, np.ndarray]:
        if (labels is not None) != self.conditional:
            wants = "is conditional: give labels" if self.conditional else "is unconditional: leave out labels"
            raise UsageError(f"The model at {self._endpoint.address} {wants}.")
        if labels is None:
            return {}
        labels = _integers("labels", [labels] * count if isinstance(labels, int | np.integer) else labels)
        if len(labels) != count:
            raise UsageError(f"Expected as many labels as images or one, given {len(labels)} for {count}.")
        return {"labels": labels}

    def _pictures(self, name: str, inputs: dict[str, np.ndarray]) -> np.ndarray:
        images = self._run(name, inputs)["images"]
        self._no_gaps(inputs, np.isnan(images).reshape(len(images), -1).any(axis=1))
        return images

    def _no_gaps(self, inputs: dict[str, np.ndarray], missing: Sequence[bool]) -> None:
        """A server that cannot refuse one row of a batch sends NaN, or an empty file, in its place."""
        if not any(missing):
            return
        first = int(np.argmax(missing))
        row = ", ".join(f"{key} {value[first]}" for key, value in inputs.items() if value.ndim == 1)
        message = f"No image in {sum(missing)} of {len(missing)} rows, first in row {first} ({row}): is it a class?"
        raise EndpointError(self._endpoint.address, "INVALID_ARGUMENT", message)

    def _run(self, name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if name not in self._signatures:
            raise UsageError(f"The model at {self._endpoint.address} has no signature {name!r}.")
        end = time.monotonic() + self._timeout
        count, rows = len(next(iter(inputs.values()))), self._rows(self._signatures[name])
        parts = [
            self._request(name, {key: value[start : start + rows] for key, value in inputs.items()}, end)
            for start in range(0, count, rows)
        ]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _rows(self, signature: SignatureSpec) -> int:
        sides = (sum(map(self._width, side.values())) for side in signature)
        return max(1, min(_ROWS, _MESSAGE // max(sides)))

    def _width(self, spec: TensorSpec) -> int:
        """Bytes of one row at most. A PNG of noise is a little larger than its pixels."""
        if spec.dtype == "DT_STRING":
            return 1024 + math.prod(self.image_shape) * 21 // 20
        return _WIDTHS.get(spec.dtype, 8) * math.prod(max(size, 1) for size in spec.shape[1:])

    def _request(self, name: str, inputs: dict[str, np.ndarray], end: float) -> dict[str, np.ndarray]:
        count = len(next(iter(inputs.values())))
        for attempt in itertools.count():
            pause = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
            try:
                answer = self._endpoint.predict(name, self._signatures[name], inputs, max(end - time.monotonic(), 1e-3))
                break
            except EndpointError as error:
                if error.code != "UNAVAILABLE" or time.monotonic() + pause >= end:
                    raise
            time.sleep(pause)
        if sizes := {key: len(value) for key, value in answer.items() if len(value) != count}:
            raise EndpointError(self._endpoint.address, "INTERNAL", f"Expected {count} rows, given {sizes}.")
        return answer


def _client(endpoint: Endpoint, timeout: float) -> Client:
    try:
        return Client(endpoint, endpoint.signatures(timeout), timeout)
    except BaseException:
        endpoint.close()
        raise


def _grpc_client(
    address: str, model: str, version: int | None, timeout: float, token: str, tls: bool = False
) -> Client:
    from tfdfm.client.grpc import GrpcEndpoint  # imports TensorFlow

    return _client(GrpcEndpoint(address, model, version, tls, token), timeout)


def _address(endpoint: str) -> tuple[str, str]:
    """Scheme (or "") and HOST:PORT."""
    scheme, _, address = endpoint.rpartition("://")
    try:
        port = urlsplit(f"//{address}").port
    except ValueError:
        port = None
    if scheme not in ("", "http", "https", "grpc", "grpcs") or port is None:
        raise UsageError(
            f"Expected an endpoint like HOST:PORT, http://HOST:PORT or grpc://HOST:PORT, given {endpoint}."
        )
    return scheme, address.rstrip("/")


def _integers(what: str, values: Iterable[int]) -> np.ndarray:
    """int64 [N], N > 0."""
    array = np.asarray(list(values) if isinstance(values, Iterable) else values)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "iu" or array.max() > np.iinfo(np.int64).max:
        raise UsageError(f"Expected {what} to be one or more whole numbers of 64 bits, given {values!r}.")
    return array.astype(np.int64)
