"""DINOv2 and CLIP from files with the public ones' names, held against what transformers computed of the same files."""

import json

import made_up_weights
import numpy as np
import pytest
from PIL import Image

from tfdfm.classifiers import lookup
from tfdfm.classifiers.features import cached
from tfdfm.errors import Failure, UsageError

IMAGES = ((made_up_weights.bits(3 * 32 * 32 * 3, 99) + 1) * 128).astype(np.uint8).reshape(3, 32, 32, 3)
DINOV2_5 = [  # every 16th feature of each image
    [-0.027151, 2.213048, 0.47755, -1.255478, -0.016031, 0.17046, 1.001964, 0.255527],
    [0.191443, 1.903927, 0.272356, -1.024747, -0.065791, 0.318304, 0.995088, 0.215291],
    [0.225061, 2.288308, 0.261171, -0.87577, 0.094243, -0.046588, 1.057578, 0.20828],
]
DINOV2_37 = [
    [-0.016818, 2.108197, 0.566356, -1.382017, -0.015912, 0.181032, 1.063803, 0.264506],
    [0.203949, 1.774324, 0.275559, -1.034232, -0.026757, 0.177111, 0.984803, 0.22645],
    [0.075697, 2.235718, 0.387841, -1.114773, 0.061827, -0.045524, 1.097402, 0.226742],
]
CLIP = [  # every third
    [-0.054881, 0.959686, -0.528952, 0.911176, 0.315931, -1.337542, -1.184002, 1.065223],
    [-0.124047, 0.249499, -0.834021, 0.338549, 0.453862, -1.336916, -1.121988, 0.683348],
    [-0.391758, 0.328592, -0.864203, 0.678465, 0.175199, -0.856919, -0.608608, 1.718561],
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return {
        "dinov2": made_up_weights.save(folder / "dinov2.safetensors", made_up_weights.dinov2()),
        "clip": made_up_weights.save(folder / "clip.safetensors", made_up_weights.clip()),
    }


@pytest.mark.parametrize(("grid", "expected"), [(5, DINOV2_5), (37, DINOV2_37)])
def test_dinov2_is_that_of_transformers(tmp_path, grid, expected):
    """`expected` is pooler_output of Dinov2Model (transformers 5.24.0, torch 2.13.0 on a CPU) with hidden_size=128,
    num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=14 grid, loaded from the same file and fed
    IMAGES as Pillow resizes them to 224 pixels, bicubic, of which ImageNet's mean and deviation are taken. Positions
    of 5 x 5 patches are spread to 16 x 16, those of 37 x 37 (the published ones) are thinned."""
    path = made_up_weights.save(tmp_path / "model.safetensors", made_up_weights.dinov2(grid=grid))
    features, logits = lookup.find(f"dinov2:{path}").run(IMAGES)
    assert features.shape == (3, 128) and features.dtype == np.float32 and logits.shape == (3, 0)
    np.testing.assert_allclose(features[:, ::16], expected, rtol=0, atol=1e-5)


def test_clip_is_that_of_transformers(files):
    """`CLIP` is image_embeds of CLIPVisionModelWithProjection (as above) with hidden_size=128, intermediate_size=96,
    num_hidden_layers=2, num_attention_heads=2, image_size=42, projection_dim=24, of IMAGES at 42 pixels."""
    found = lookup.find(f"clip:{files['clip']}")
    features, logits = found.run(IMAGES)
    assert features.shape == (3, 24) and logits.shape == (3, 0) and found.num_classes == 0
    np.testing.assert_allclose(features[:, ::3], CLIP, rtol=0, atol=1e-5)
    assert found.record["name"] == "clip" and len(found.record["checksum"]) == 64
    assert found.record["resize"] == "Pillow's bicubic, to 42 x 42"


def test_images_are_pillows_of_any_size_and_gray_is_repeated(files):
    run = lookup.find(f"clip:{files['clip']}").run
    large = np.tile(IMAGES, (1, 3, 4, 1))
    fitted = np.stack([np.asarray(Image.fromarray(image).resize((42, 42), Image.BICUBIC)) for image in large])
    np.testing.assert_array_equal(run(large)[0], run(fitted)[0])
    np.testing.assert_array_equal(run(IMAGES[..., :1])[0], run(np.repeat(IMAGES[..., :1], 3, axis=-1))[0])


def test_many_images_are_those_of_each_and_kept_without_logits(files, tmp_path):
    found = lookup.find(f"clip:{files['clip']}")
    images = np.concatenate([IMAGES] * 12)
    kept = cached(images, found, cache_dir=str(tmp_path))
    np.testing.assert_allclose(kept.features, np.tile(found.run(IMAGES)[0], (12, 1)), atol=1e-5)
    assert kept.features.shape == (36, 24) and kept.logits.shape == (36, 0)


def test_a_whole_clip_files_text_part_is_left_unread(files, tmp_path):
    more = {
        "text_model.embeddings.position_ids": ("I64", [1, 2], bytes(16)),
        "vision_model.embeddings.position_ids": ("I64", [1, 10], bytes(80)),
        "text_projection.weight": ("F32", [1, 1], bytes(4)),
        "logit_scale": ("F32", [], bytes(4)),
    }
    whole = made_up_weights.save(tmp_path / "whole.safetensors", made_up_weights.clip(), **more)
    one, other = (lookup.find(f"clip:{path}") for path in (files["clip"], whole))
    np.testing.assert_array_equal(one.run(IMAGES)[0], other.run(IMAGES)[0])


@pytest.mark.parametrize("kind", ["dinov2", "clip"])
def test_a_file_that_is_not_there_is_one_line(kind, tmp_path):
    public = {"dinov2": "facebook/dinov2-large", "clip": "openai/clip-vit-large-patch14-336"}[kind]
    with pytest.raises(UsageError, match=f"Expected {kind}:PATH, the model.safetensors of {public}, given no path."):
        lookup.find(kind)
    with pytest.raises(UsageError, match=f"the model.safetensors of {public}, given .*none, which is not there"):
        lookup.find(f"{kind}:{tmp_path / 'none'}")
    with pytest.raises(UsageError, match=f"Did you mean '{kind}:PATH'"):
        lookup.find(f"{kind[:-1]}:PATH")


def test_another_networks_file_is_one_line(files, tmp_path):
    with pytest.raises(Failure, match=r"is not a network like facebook/dinov2-large \(it lacks 'class'\). Take that"):
        lookup.find(f"dinov2:{files['clip']}")
    registers = made_up_weights.dinov2() | {"embeddings.register_tokens": np.zeros([1, 4, 128])}
    wrong = {
        "it has embeddings.register_tokens, too": registers,
        "it lacks '1.mlp.fc1.weight'": made_up_weights.dinov2() | {"encoder.layer.1.mlp.fc1.weight": None},
        "cannot reshape array": made_up_weights.dinov2() | {"embeddings.position_embeddings": np.zeros([1, 24, 128])},
        ".*": made_up_weights.dinov2(width=96),  # no whole number of heads
    }
    for message, tensors in wrong.items():
        tensors = {name: value for name, value in tensors.items() if value is not None}
        path = made_up_weights.save(tmp_path / "model.safetensors", tensors)
        with pytest.raises(Failure, match=rf"not a network like facebook/dinov2-large \({message}") as one:
            lookup.find(f"dinov2:{path}")
        assert "\n" not in str(one.value)


HEADER = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "a header of 0 bytes"),
        (b"\x80\x02}q\x00", "a header of"),
        ((2**40).to_bytes(8, "little"), "a header of 1,099,511,627,776 bytes"),
        ((9).to_bytes(8, "little") + b"not json ", "Expecting value"),
        ((2).to_bytes(8, "little") + b"[]" + bytes(9), "has no attribute 'items'"),
        (len(HEADER).to_bytes(8, "little") + HEADER, ""),
        (len(HEADER).to_bytes(8, "little") + HEADER + bytes(7), "a of shape .2. lies outside the file"),
        (len(HEADER).to_bytes(8, "little") + HEADER.replace(b"[2]", b"[3]") + bytes(8), "a of shape .3. lies outside"),
        (len(HEADER).to_bytes(8, "little") + HEADER.replace(b"F32", b"I32") + bytes(8), "a is I32: expected one of"),
    ],
    ids=["empty", "pickle", "huge", "no json", "a list", "no data", "cut", "another shape", "another type"],
)
def test_a_damaged_file_is_one_line(tmp_path, content, expected):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(Failure, match=rf"is no safetensors file, or damaged \(.*{expected}.*\). Get it again") as one:
        lookup.find(f"dinov2:{tmp_path / 'model.safetensors'}")
    assert "\n" not in str(one.value)
