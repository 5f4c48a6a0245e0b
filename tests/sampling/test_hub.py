"""The page of an export on the Hugging Face Hub, as the Hub's own library reads it; its code runs."""

import re
import subprocess
import sys

import exports
import huggingface_hub
import pytest

from tfdfm.sampling import hub, saved_model

SCORES = {"inception_score": {"value": 3.5}, "frechet_distance": {"value": 1.25}, "test_error": {"value": None}}


@pytest.mark.parametrize("classes", [0, 3])
def test_the_page_is_read_by_the_hub_and_its_code_runs(tmp_path, classes):
    trained = exports.trained(classes=classes)
    page = hub.page(saved_model.card(trained, SCORES), "mine-seed0")
    path = saved_model.write(trained, tmp_path, SCORES, page=page)
    assert (path / "README.md").read_text() == page
    data = huggingface_hub.ModelCard(page).data
    assert data.pipeline_tag == hub.TASK and data.datasets == [trained.config.dataset]
    found = {(each.metric_type, each.metric_value, each.dataset_name) for each in data.eval_results}
    assert found == {
        ("inception_score", 3.5, trained.config.dataset),
        ("frechet_distance", 1.25, trained.config.dataset),
    }
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    code = code.replace("from huggingface_hub import snapshot_download", f"snapshot_download = lambda _: {str(path)!r}")
    code += "print(images.shape, float(images[0, 0, 0, 0]) >= 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    size, channels = trained.config.image_size, trained.channels
    assert done.stdout == f"(16, {size}, {size}, {channels}) True\n"


def test_without_scores_there_is_no_table():
    page = hub.page(saved_model.card(exports.trained(), {}), "mine")
    assert (
        "model-index" not in page
        and "| score" not in page
        and huggingface_hub.ModelCard(page).data.eval_results is None
    )
