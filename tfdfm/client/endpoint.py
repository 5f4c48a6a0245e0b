"""One model at a server of TF Serving's protocols: what a REST and a gRPC endpoint have in common."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from tfdfm.errors import Failure


class EndpointError(Failure):
    """What a server answers instead of a result, or that it does not answer. `code` is gRPC's name, as "NOT_FOUND"."""

    def __init__(self, address: str, code: str, message: str):
        super().__init__(f"{address} answered {code}: {message}")
        self.code, self.message = code, message


class TensorSpec(NamedTuple):
    dtype: str  # as "DT_FLOAT"
    shape: tuple[int, ...]  # -1: unknown; () also where the rank is unknown


class SignatureSpec(NamedTuple):
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


class Endpoint(Protocol):
    """A model at a server. Every method raises EndpointError; `timeout` is in seconds."""

    address: str

    def signatures(self, timeout: float) -> dict[str, SignatureSpec]: ...

    def predict(
        self, name: str, signature: SignatureSpec, inputs: Mapping[str, np.ndarray], timeout: float
    ) -> dict[str, np.ndarray]: ...

    def close(self) -> None: ...
