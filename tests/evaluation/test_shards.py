"""An evaluation in shards is, to the bit, that of one machine; what is missing, damaged or of another is one line."""

import json
import re
import shlex
import shutil

import pytest

from tfdfm import cli, train
from tfdfm.errors import Failure, UsageError
from tfdfm.evaluation import image_sets
from tfdfm.evaluation.shards import Shard, parse

NUM = 200  # three batches and a bit
MERGE = (f"--num={NUM}", "--merge")
KINDS = {  # of runs: what is changed of the toy, and the scores that differ in what they look at
    "plain": ({}, "inception_score,frechet_distance,kernel_distance,recall,nearest_neighbours"),
    "conditional": ({"conditional": True}, "inception_score,ms_ssim,accuracy,accuracy_by_resolution"),
    "ensemble": (None, "frechet_distance,accuracy"),
}


@pytest.fixture
def sharded(score):
    """Draws and classifies these shards of a run."""

    def make(run_dir, count, numbers, *more):
        for number in numbers:
            score(f"--run_dir={run_dir}", f"--num={NUM}", f"--shard={number}/{count}", *more)

    return make


@pytest.fixture
def copied(made, tmp_path):
    """A run of digits to write in."""
    return shutil.copytree(made("digits-seed0"), tmp_path / "run", ignore=shutil.ignore_patterns("evaluation"))


@pytest.fixture(scope="session")
def ensemble(tmp_path_factory):
    """Two models of five classes each."""
    path = tmp_path_factory.mktemp("runs") / "ensemble"
    keys = {"generator.width": 4, "discriminator.width": 4, "latent_size": 8, "batch_size": 8, "steps": 1}
    flags = [f"--config.{key}={value}" for key, value in (keys | {"class_splits": 2, "score_every": 0}).items()]
    recipe = ["--config=cifar10_acgan", "--dataset=digits", "--jit=off", f"--run_dir={path}"]
    assert train.main(cli.parse(["", *recipe, *flags], train.define, "")) == 0
    return path


def shards(run_dir) -> list:
    return sorted((run_dir / "evaluation" / "shards").glob("*.npz"))


@pytest.mark.parametrize("kind", KINDS)
def test_merged_scores_are_those_of_one_machine_to_the_bit(score, sharded, made, request, tmp_path, kind):
    changes, metrics = KINDS[kind]
    run_dir = request.getfixturevalue("ensemble") if changes is None else made(f"digits-{kind}", **changes)
    asked = (f"--run_dir={run_dir}", f"--num={NUM}", "--seed=3", f"--metrics={metrics}")
    score(*asked, f"--json={tmp_path / 'whole.json'}")
    sharded(run_dir, 3, (2, 0, 1), "--seed=3")
    score(*asked, f"--json={tmp_path / 'merged.json'}", "--merge")
    found = json.loads((tmp_path / "merged.json").read_text())
    assert found == json.loads((tmp_path / "whole.json").read_text())
    assert found.keys() >= set(metrics.split(","))


def test_merging_draws_no_image_but_those_that_a_score_looks_at(score, sharded, copied, monkeypatch):
    sharded(copied, 2, range(2))
    drawn = []
    draw = image_sets.Drawn.__getitem__
    monkeypatch.setattr(
        image_sets.Drawn, "__getitem__", lambda self, rows: drawn.append(len(made := draw(self, rows))) or made
    )
    score(f"--run_dir={copied}", *MERGE, "--metrics=inception_score,frechet_distance,recall")
    assert drawn == []
    score(f"--run_dir={copied}", *MERGE, "--metrics=nearest_neighbours")
    assert drawn == [100]


def test_shards_are_all_samples_once_in_whole_batches():
    for num in (2, 64, 65, 130, 1000, 50_000):
        for count in range(1, min(-(-num // 64), 9) + 1):
            rows = [Shard(number, count).rows(num) for number in range(count)]
            assert rows[0].start == 0 and rows[-1].stop == num
            assert all(one.stop == two.start and two.start % 64 == 0 for one, two in zip(rows, rows[1:], strict=False))
            sizes = [each.stop - each.start for each in rows]
            assert min(sizes) > 0 and max(sizes) - min(sizes) < 128


def test_those_that_are_missing_are_named_with_their_command(score, sharded, copied):
    merge = (f"--run_dir={copied}", *MERGE, "--metrics=frechet_distance")
    with pytest.raises(Failure, match=r"found none\. Make each of n: python -m tfdfm.evaluate .* --shard=i/n"):
        score(*merge)
    sharded(copied, 4, [2])
    sharded(copied, 3, [1])  # of which fewer are missing
    with pytest.raises(Failure, match="2 of 3 shards are missing") as caught:
        score(*merge)
    loop = re.fullmatch(r".*Make them: for i in 0 2; do python -m tfdfm\.evaluate (.*); done", str(caught.value))
    for number in "02":
        score(*shlex.split(loop[1].replace("$i", number)))
    score(*merge)
    with pytest.raises(Failure, match="found none"):
        score(*merge, "--seed=1")


def test_one_that_is_damaged_or_of_other_weights_is_named_with_its_command(score, sharded, copied, made):
    other = made("other-seed1", seed=1)
    sharded(copied, 2, range(2))
    sharded(other, 2, [1])
    first, second = (path.read_bytes() for path in shards(copied))
    flipped = [bytearray(second) for _ in range(2)]
    for content, place in zip(flipped, (500, -3000), strict=True):
        content[place] ^= 1
    wrong = {
        "is damaged": [second[:3000], b"", *flipped],
        r"differs from this run and classifier in checksum\.": [shards(other)[0].read_bytes()],
        r"differs from this run and classifier in shard\.": [first],
    }
    for said, contents in wrong.items():
        for content in contents:
            shards(copied)[1].write_bytes(content)
            with pytest.raises(Failure, match=rf"1of2.npz {said}.* Make it again: .* --shard=1/2"):
                score(f"--run_dir={copied}", *MERGE)
    shards(copied)[1].write_bytes(second)
    renamed = shutil.copytree(copied, copied.with_name("renamed"))  # the same weights under another name
    score(f"--run_dir={renamed}", *MERGE, "--metrics=frechet_distance")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shard=2/2"], r"Expected --shard=i/n with 0 <= i < n .*, given 2/2"),
        (["--shard=1"], "given 1"),
        (["--shard=-1/2"], "given -1/2"),
        (["--shard=0/0"], "given 0/0"),
        (["--shard=0/5", "--num=200"], "one of at most 4: 200 samples are as many batches of 64. Given 0/5"),
        (["--shard=0/2", "--merge"], "Given both"),
        (["--shard=0/2", "--metrics=recall", "--json=a"], "leave out --metrics, --json, which --merge takes"),
        (["--merge", "--protocol=dfm"], "A protocol draws groups of its own"),
    ],
)
def test_mistakes_end_in_one_line(score, made, arguments, message):
    with pytest.raises(UsageError, match=message):
        score(f"--run_dir={made('digits-seed0')}", *arguments)


@pytest.mark.parametrize("flag", ["--shard=0/2", "--merge"])
def test_stored_images_have_no_shards(score, flag):
    with pytest.raises(UsageError, match="are for the samples of a run: set --run_dir"):
        score("--images=digits", flag)


def test_the_first_is_number_zero():
    assert parse("0/8") == (0, 8) and parse("7/8").rows(1024) == slice(896, 1024)
