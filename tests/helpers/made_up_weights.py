"""Files of weights in the format and with the names of the public ones, of small networks of raw random bits."""

import json
from pathlib import Path

import numpy as np


def bits(count: int, seed: int) -> np.ndarray:
    """float64 [count] in [-1, 1): bits that no version of NumPy draws otherwise."""
    return (np.random.PCG64(seed).random_raw(count) >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def dinov2(width: int = 128, hidden: int = 256, layers: int = 2, patch: int = 14, grid: int = 5) -> dict:
    """{name: array} of a Dinov2Model."""
    shapes = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.mask_token": (1, width),
        "embeddings.patch_embeddings.projection.bias": (width,),
        "embeddings.patch_embeddings.projection.weight": (width, 3, patch, patch),
        "embeddings.position_embeddings": (1, grid * grid + 1, width),
        **_norm("layernorm", width),
    }
    for layer in range(layers):
        name = f"encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            shapes |= _linear(f"{name}attention.attention.{part}", width, width)
        shapes |= _linear(f"{name}attention.output.dense", width, width)
        shapes |= {f"{name}layer_scale{number}.lambda1": (width,) for number in (1, 2)}
        shapes |= _linear(f"{name}mlp.fc1", width, hidden) | _linear(f"{name}mlp.fc2", hidden, width)
        shapes |= _norm(f"{name}norm1", width) | _norm(f"{name}norm2", width)
    return _filled(shapes)


def clip(width: int = 128, hidden: int = 96, layers: int = 2, patch: int = 14, grid: int = 3, out: int = 24) -> dict:
    """{name: array} of a CLIPVisionModelWithProjection."""
    shapes = {
        "vision_model.embeddings.class_embedding": (width,),
        "vision_model.embeddings.patch_embedding.weight": (width, 3, patch, patch),
        "vision_model.embeddings.position_embedding.weight": (grid * grid + 1, width),
        "visual_projection.weight": (out, width),
        **_norm("vision_model.pre_layrnorm", width),
        **_norm("vision_model.post_layernorm", width),
    }
    for layer in range(layers):
        name = f"vision_model.encoder.layers.{layer}."
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= _linear(f"{name}self_attn.{part}", width, width)
        shapes |= _linear(f"{name}mlp.fc1", width, hidden) | _linear(f"{name}mlp.fc2", hidden, width)
        shapes |= _norm(f"{name}layer_norm1", width) | _norm(f"{name}layer_norm2", width)
    return _filled(shapes)


def save(path: Path, tensors: dict[str, np.ndarray], dtype: str = "F32", **more: tuple[str, list, bytes]) -> Path:
    """Writes tensors as F32, F16 or BF16 (cut to its bits); `more`: others as (type, shape, bytes)."""
    header, parts = {"__metadata__": {"format": "pt"}}, []
    entries = {name: (dtype, list(value.shape), _bytes(value, dtype)) for name, value in tensors.items()} | more
    for name, (kind, shape, data) in entries.items():
        start = sum(map(len, parts))
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, start + len(data)]}
        parts.append(data)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))
    return path


def _bytes(value: np.ndarray, dtype: str) -> bytes:
    if dtype == "BF16":
        return (value.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return value.astype({"F32": "<f4", "F16": "<f2"}[dtype]).tobytes()


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _filled(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Numbers of a spread that keeps activations near 1; gains around 1."""
    filled = {}
    for seed, (name, shape) in enumerate(sorted(shapes.items())):
        drawn = bits(int(np.prod(shape)), seed).reshape(shape)
        spread = np.sqrt(3 / np.prod(shape[1:])) if name.endswith(".weight") and len(shape) > 1 else 0.5
        gain = len(shape) == 1 and name.endswith((".weight", "lambda1"))
        filled[name] = (spread * drawn + gain).astype(np.float32)
    return filled
