"""Draws images from a run, from its export, from an endpoint that serves it, or from a generator of the package's own.

    python -m tfdfm.sample --run_dir=runs/digits-seed0 --num=100 --out=digits.png
    python -m tfdfm.sample --run_dir=runs/mnist_conditional-seed0 --labels=3,5 --out=folder/
    python -m tfdfm.sample --export=runs/digits-seed0/export --num=100 --out=digits.png
    python -m tfdfm.sample --endpoint=localhost:8500 --num=100 --out=digits.png
    python -m tfdfm.sample --pretrained=cifar10_quick
    python -m tfdfm.sample --run_dir=runs/cifar10_dcgan-seed0 --truncation=0.7

A path that ends in .png gets one grid; any other is a folder that gets one file an image. Image i of --seed=N is the
model's image of seed 1,000,000 N + i, here and at every endpoint.
"""

from pathlib import Path

from absl import flags

from tfdfm import cli
from tfdfm.errors import UsageError

COLUMNS = 8  # images from one latent to the next
BATCH = 64


def define(values: flags.FlagValues):
    flags.DEFINE_string("run_dir", None, "a run of tfdfm.train", flag_values=values)
    flags.DEFINE_string("export", None, "a version that tfdfm.export wrote, or their folder", flag_values=values)
    flags.DEFINE_string("pretrained", None, "a generator that comes with the package", flag_values=values)
    flags.DEFINE_string("endpoint", None, "HOST:PORT of a model server, instead of a run", flag_values=values)
    flags.DEFINE_string("model_name", "default", "the model's name at the endpoint", flag_values=values)
    flags.DEFINE_string("token_file", None, "of the bearer token that the endpoint asks for", flag_values=values)
    flags.DEFINE_string("checkpoint", "last", "last, best or a step, of a run", flag_values=values)
    flags.DEFINE_integer("num", 64, "images", lower_bound=1, flag_values=values)
    flags.DEFINE_list("labels", None, "classes by number, taken in turn (default: all)", flag_values=values)
    flags.DEFINE_integer(
        "seed", 0, "image i of a seed is always the same", lower_bound=0, upper_bound=10**12, flag_values=values
    )
    flags.DEFINE_string(
        "out", None, "FILE.png or a folder (default: sample-seedN.png, in the run if there is one)", flag_values=values
    )
    flags.DEFINE_boolean(
        "interpolate", False, f"rows of {COLUMNS} images from one latent to the next", flag_values=values
    )
    flags.DEFINE_float(
        "truncation", None, "bound of each latent number, of a model whose prior is normal", flag_values=values
    )


def main(values: flags.FlagValues) -> None:
    if sum(map(bool, (values.run_dir, values.export, values.pretrained, values.endpoint))) != 1:
        raise UsageError("Expected one of --run_dir, --export, --pretrained and --endpoint.")
    from tfdfm import stores
    from tfdfm.latents import PER_SEED

    asked = _numbers(values.labels)
    source = _source(values)
    out = stores.local(values.out or f"{values.run_dir or '.'}/sample-seed{values.seed}.png")
    draw = _interpolated if values.interpolate else _drawn
    batches = draw(source, values.num, PER_SEED * values.seed, asked, values.truncation)
    _write(batches, out, COLUMNS if values.interpolate else None)
    print(f"{values.num} images: {stores.name(out)}")


def _source(values: flags.FlagValues):
    from tfdfm import stores

    if values.endpoint:
        from tfdfm.client import connect

        return connect(values.endpoint, model=values.model_name, token=_token(values.token_file))
    if values.export or values.pretrained:
        from tfdfm import pretrained
        from tfdfm.sampling.sources import Export

        return Export(pretrained.find(values.pretrained) if values.pretrained else stores.fetched(values.export))
    from tfdfm.sampling import restore
    from tfdfm.sampling.sampler import Local

    return Local(restore.load(stores.local(values.run_dir), values.checkpoint))


def _token(path: str | None) -> str:
    try:
        return Path(path).read_text().split()[0] if path else ""
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise UsageError(f"Expected a file with a token in --token_file, given {path}: {error}.") from None


def _drawn(source, count: int, first: int, asked: list[int], most: float | None):
    from tfdfm.latents import labels_in_turn, truncated

    given = labels_in_turn(asked, count, source.num_classes)
    for start in range(0, count, BATCH):
        seeds = range(first + start, first + min(start + BATCH, count))
        labels = None if given is None else given[start : start + BATCH]
        if most is None:
            yield source.images(seeds, labels)
        else:
            yield source.from_latents(truncated(*source.latents(seeds), most), labels)


def _interpolated(source, count: int, first: int, asked: list[int], most: float | None):
    from tfdfm.latents import interpolate, labels_in_turn, truncated

    rows = -(-count // COLUMNS)
    ends, prior = source.latents(range(first, first + rows + 1))
    ends = ends if most is None else truncated(ends, prior, most)
    given = labels_in_turn(asked, rows, source.num_classes)
    latents = interpolate(ends, COLUMNS, prior).reshape(rows * COLUMNS, -1)[:count]
    yield source.from_latents(latents, None if given is None else given.repeat(COLUMNS)[:count])


def _numbers(labels: list[str] | None) -> list[int]:
    try:
        return [int(label) for label in labels or []]
    except ValueError:
        raise UsageError(f"Expected --labels to be class numbers like 3,5, given {','.join(labels)}.") from None


def _write(batches, out: Path, columns: int | None):
    import numpy as np

    from tfdfm import images

    found = (images.unit_to_uint8(batch) for batch in batches)
    if out.suffix.lower() == ".png":
        images.write_png(out, images.grid(np.concatenate(list(found)), columns))
        return
    for number, image in enumerate(image for batch in found for image in batch):
        images.write_png(out / f"{number:06d}.png", image)


if __name__ == "__main__":
    cli.run(main, define, __doc__)
