"""One seed is one image: alone, in any batch, merged, by gRPC and REST, after a restart, and from the run."""

from concurrent.futures import ThreadPoolExecutor

import commands
import exports
import numpy as np
import pytest
import tensorflow as tf
from running import ANY, arrays, config, request, serving

from tfdfm import cli, export, sample, train
from tfdfm.client import connect
from tfdfm.sampling import saved_model
from tfdfm.sampling.sampler import Local

SEEDS = np.concatenate([[-(2**63), 2**63 - 1, 2**53 + 1, -1], np.arange(60)])
LABELS = np.arange(64) % 3


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """(the trained generator as the run would sample it, the folder of its export)"""
    trained, out = exports.trained(classes=3, prior="normal"), tmp_path_factory.mktemp("model")
    saved_model.write(trained, out)
    return Local(trained), out


@pytest.fixture(scope="module")
def server(model):
    with serving(config(m=model[1]), rest_port=ANY) as running:
        yield running


@pytest.fixture(scope="module")
def truth(model):
    return model[0].images(SEEDS, LABELS)


@pytest.fixture(params=["grpc", "http"])
def client(request, server):
    port = server.server.ports[{"grpc": "gRPC", "http": "REST"}[request.param]]
    with connect(f"{request.param}://127.0.0.1:{port}", model="m") as client:
        yield client


def close(images, expected):
    assert expected.std() > 0.05
    np.testing.assert_allclose(images, expected, rtol=0, atol=1e-6)


def test_in_a_batch_alone_and_permuted(client, truth):
    close(client.images(SEEDS, LABELS), truth)
    order = np.random.default_rng(0).permutation(64)
    close(client.images(SEEDS[order], LABELS[order]), truth[order])
    for place in (0, 1, 2, 63):
        close(client.images(SEEDS[[place]], LABELS[[place]]), truth[[place]])


def test_latents_are_the_same_bits(client, model):
    expected, prior = model[0].latents(SEEDS)
    found, named = client.latents(SEEDS)
    assert named == prior == "normal"
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))
    close(client.from_latents(found, LABELS), model[0].from_latents(expected, LABELS))


def test_a_png_is_the_rounded_image(client, truth):
    pixels = np.stack([tf.io.decode_png(png).numpy() for png in client.pngs(SEEDS, LABELS)])
    levels = truth * 255.0
    wrong, ties = np.abs(pixels - np.rint(levels)), np.abs(levels % 1 - 0.5) < 1e-3
    assert wrong[~ties].max() == 0 and wrong.max() <= 1


def test_merged_with_the_requests_of_others(server, truth):
    """Of 32 clients at a time; the server counts how many requests ran together."""
    ran = []
    version = server.server.manager.find("m")
    counted, version.ran = version.ran, lambda rows, waited: ran.append((rows, len(waited)))
    asked = list(zip(SEEDS, LABELS, truth, strict=True)) * 4

    def ask(seed, label):
        inputs = {"seed": np.array([seed]), "labels": np.array([label])}
        return arrays(server.prediction.Predict(request("m", **inputs), 60))["images"][0]

    try:
        with ThreadPoolExecutor(32) as pool:
            images = list(pool.map(lambda one: ask(*one[:2]), asked))
    finally:
        version.ran = counted
    assert max(requests for _, requests in ran) > 1 and sum(rows for rows, _ in ran) == len(asked)
    close(np.stack(images), np.stack([image for *_, image in asked]))


def test_after_a_restart(model, truth):
    for _ in range(2):
        with serving(config(m=model[1])) as running:
            found = running.predict(seed=SEEDS, labels=LABELS)["images"]
        close(found, truth)


def test_the_command_draws_the_same_from_a_run_and_from_its_endpoint(tmp_path):
    run_dir = tmp_path / "run"
    flags = commands.flags(steps=2, jit="off", conditional=True)
    train.main(cli.parse(["", *flags, f"--run_dir={run_dir}"], train.define, ""))
    export.main(cli.parse(["", f"--run_dir={run_dir}", f"--out={tmp_path / 'out'}"], export.define, ""))
    with serving(config(default=tmp_path / "out"), rest_port=ANY) as running:
        ports = running.server.ports
        sources = [f"--run_dir={run_dir}", *(f"--endpoint=127.0.0.1:{ports[kind]}" for kind in ("gRPC", "REST"))]
        for more in (["--num=70", "--seed=3"], ["--num=5", "--labels=7,2"], ["--num=20", "--interpolate"]):
            drawn = [_draw(source, tmp_path / "a.png", more) for source in sources]
            assert drawn[0].std() > 0
            for other in drawn[1:]:
                assert np.abs(drawn[0] - other).max() <= 1


def _draw(source, path, more) -> np.ndarray:
    sample.main(cli.parse(["", source, f"--out={path}", *more], sample.define, ""))
    return tf.io.decode_png(path.read_bytes()).numpy().astype(int)
