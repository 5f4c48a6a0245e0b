"""The page of an export on the Hugging Face Hub: a README.md, with the metadata that the Hub reads."""

import json
from collections.abc import Mapping

TASK = "unconditional-image-generation"  # the Hub's name for images from no prompt, labels or not
_PAGE = """---
{front}
---

# {name}

Images like those of `{dataset}`{classes}, {size} x {size} pixels, by the generator of tfdfm's run `{name}` after
{step:,} steps. An image is a function of its seed{label} alone, on any server and in any batch. No tfdfm is needed:

```python
import tensorflow as tf
from huggingface_hub import snapshot_download

model = tf.saved_model.load(snapshot_download("USER/NAME"))
inputs = {{"seed": tf.range(16, dtype=tf.int64){labels}}}
images = model.serving_default(inputs)["images"]  # float32 [16, {size}, {size}, {channels}] in [0, 1]
```

`model_card.json` in `assets/` has the whole recipe.{scores}
"""


def page(card: Mapping, name: str) -> str:
    """README.md of an export with this model card, of a run of this name."""
    classes = card["class_names"]
    found = {key: record["value"] for key, record in card["scores"].items() if isinstance(record.get("value"), float)}
    metrics = [{"type": key, "name": key.replace("_", " "), "value": value} for key, value in found.items()]
    data = {"type": card["dataset"], "name": card["dataset"]}
    results = [{"task": {"type": TASK}, "dataset": data, "metrics": metrics}] if metrics else []
    front = {
        "library_name": "tensorflow",
        "pipeline_tag": TASK,
        "tags": ["gan", "denoising-feature-matching", "tfdfm"],
        "datasets": [card["dataset"]],
        "model-index": [{"name": name, "results": results}] if results else [],
    }
    rows = "".join(f"| {key.replace('_', ' ')} | {value:.4g} |\n" for key, value in found.items())
    return _PAGE.format(
        front="\n".join(f"{key}: {json.dumps(value)}" for key, value in front.items() if value),  # JSON is YAML
        name=name,
        dataset=card["dataset"],
        classes=f" ({', '.join(classes)})" if classes else "",
        size=card["image_size"],
        channels=card["channels"],
        step=card["step"],
        label=" and label" if classes else "",
        labels=f', "labels": tf.range(16, dtype=tf.int64) % {len(classes)}' if classes else "",
        scores=f"\n\n| score | |\n|---|---|\n{rows}".rstrip() if rows else "",
    )
