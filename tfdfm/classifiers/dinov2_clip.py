"""DINOv2 (Oquab et al., 2024) and CLIP (Radford et al., 2021): vision transformers whose weights are a file to be had.

It is the public `model.safetensors` of facebook/dinov2-large (or -base, -small), and of
openai/clip-vit-large-patch14-336 (or another openai/clip-vit), of which the text part is left unread. Sizes are those
of the tensors; a head is 64 wide in all of them.

Pillow resizes the images to bytes, with which Stein et al. (2023) and Jayasumana et al. (2024) compute, too. DINOv2's
feature is its class token after the last layer norm, at 224 pixels, as in the former; CLIP's is the projected class
token, of any length, at the pixels that its positions are made for, 336 in the latter.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from tfdfm import arrays
from tfdfm.classifiers import safetensors_file, vision_transformer
from tfdfm.classifiers.binding import Classifier, pixels
from tfdfm.classifiers.vision_transformer import Kind
from tfdfm.errors import Failure, UsageError

BATCH = 16  # images at a time: of each, CLIP's attention holds 21 MB twice


class File(NamedTuple):
    """A public file, and what its tensors are called."""

    published: str
    kind: Kind
    names: dict[str, str]  # parts of its names: of `vision_transformer.network`'s
    unread: tuple[str, ...]  # how names begin that are not read


FILES = {
    "dinov2": File(
        "facebook/dinov2-large",
        Kind(224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1e-6, lambda x: tf.nn.gelu(x, approximate=False)),
        {
            "embeddings.cls_token": "class",
            "embeddings.position_embeddings": "positions",
            "embeddings.patch_embeddings.projection": "patch",
            "encoder.layer.": "",
            "attention.attention.": "",
            "attention.output.dense": "out",
            ".lambda1": "",
            "layernorm": "last",
        },
        ("embeddings.mask_token",),
    ),
    "clip": File(
        "openai/clip-vit-large-patch14-336",
        Kind(
            0,
            (0.48145466, 0.4578275, 0.40821073),
            (0.26862954, 0.26130258, 0.27577711),
            1e-5,
            lambda x: x * tf.sigmoid(1.702 * x),
        ),
        {
            "vision_model.": "",
            "embeddings.class_embedding": "class",
            "embeddings.position_embedding.weight": "positions",
            "embeddings.patch_embedding": "patch",
            "pre_layrnorm": "first",
            "encoder.layers.": "",
            "layer_norm": "norm",
            "self_attn.q_proj": "query",
            "self_attn.k_proj": "key",
            "self_attn.v_proj": "value",
            "self_attn.out_proj": "out",
            "post_layernorm": "last",
            "visual_projection": "projection",
        },
        ("text_", "logit_scale", "vision_model.embeddings.position_ids"),
    ),
}


def find(name: str, place: str) -> Classifier:
    """The network "dinov2" or "clip" of a file, which gives features and no logits.

    Raises:
        UsageError: there is no such file.
        Failure: it is damaged or another network's.
    """
    public, path = FILES[name], Path(place).expanduser()
    if not path.is_file():
        given = f"{place}, which is not there" if place else "no path"
        raise UsageError(f"Expected {name}:PATH, the model.safetensors of {public.published}, given {given}.")
    weights = safetensors_file.read(path, lambda tensor: not tensor.startswith(public.unread))
    for theirs, ours in public.names.items():
        weights = {tensor.replace(theirs, ours): value for tensor, value in weights.items()}
    with open(path, "rb") as file:
        record = {"name": name, "checksum": hashlib.file_digest(file, "sha256").hexdigest()}
    try:
        network, side = vision_transformer.network(public.kind, weights)
        if weights:
            raise ValueError(f"it has {min(weights)}, too")
        function = tf.function(network, input_signature=[tf.TensorSpec([None, side, side, 3])], autograph=False)
        function(tf.zeros([1, side, side, 3]))
    except Exception as error:  # KeyError, TensorFlow's: whatever another network's tensors bring
        cause = f"it lacks {error}" if isinstance(error, KeyError) else str(error).strip().splitlines()[0]
        raise Failure(f"{path} is not a network like {public.published} ({cause}). Take that one's file.") from error

    def run(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [function(_resized(images[block], side)).numpy() for block in arrays.blocks(len(images), BATCH)]
        return np.concatenate(parts), np.empty([len(images), 0], np.float32)

    return Classifier(name, record | {"resize": f"Pillow's bicubic, to {side} x {side}"}, 0, run)


def _resized(images: np.ndarray, side: int) -> tf.Tensor:
    """float32 [B, side, side, 3] in 0..255, bytes, of images [B, H, W, 1 or 3] in 0..255."""
    bytes_ = np.rint(pixels(images, 3)).astype(np.uint8)
    resized = [Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC) for image in bytes_]
    return tf.constant(np.stack(resized), tf.float32)
