"""Draws images from a run.

    python -m tfdfm.sample --run_dir=runs/digits-seed0 --num=100 --out=digits.png
    python -m tfdfm.sample --run_dir=runs/mnist_conditional-seed0 --labels=3,5 --out=folder/

A path that ends in .png gets one grid; any other is a folder that gets one file an image.
"""

from pathlib import Path

from absl import flags

from tfdfm import command
from tfdfm.errors import UsageError

COLUMNS = 8  # images from one latent to the next


def define(values: flags.FlagValues):
    flags.DEFINE_string("run_dir", None, "a run of tfdfm.train", required=True, flag_values=values)
    flags.DEFINE_integer("num", 64, "images", lower_bound=1, flag_values=values)
    flags.DEFINE_list("labels", None, "classes by number, taken in turn (default: all)", flag_values=values)
    flags.DEFINE_integer(
        "seed", 0, "of the latents: image i of a seed is always the same", lower_bound=0, flag_values=values
    )
    flags.DEFINE_string("out", None, "FILE.png or a folder (default: RUN_DIR/sample-seedN.png)", flag_values=values)
    flags.DEFINE_boolean(
        "interpolate", False, f"rows of {COLUMNS} images from one latent to the next", flag_values=values
    )


def main(values: flags.FlagValues) -> None:
    from tfdfm.training.sampling import Sampler, interpolate

    asked = _numbers(values.labels)
    sampler = Sampler(Path(values.run_dir))
    if values.interpolate:
        rows = -(-values.num // COLUMNS)
        latents = interpolate(sampler.latents(0, rows + 1, values.seed), COLUMNS, sampler.config.prior)
        latents = latents.numpy().reshape(rows * COLUMNS, -1)[: values.num]
        labels = sampler.labels(asked, rows)
        labels = None if labels is None else labels.repeat(COLUMNS)[: values.num]
    else:
        latents, labels = sampler.latents(0, values.num, values.seed), sampler.labels(asked, values.num)
    out = Path(values.out or f"{values.run_dir}/sample-seed{values.seed}.png")
    _write(sampler.images(latents, labels), out, COLUMNS if values.interpolate else None)
    print(f"{values.num} images: {out}")


def _numbers(labels: list[str] | None) -> list[int]:
    try:
        return [int(label) for label in labels or []]
    except ValueError:
        raise UsageError(f"Expected --labels to be class numbers like 3,5, given {','.join(labels)}.") from None


def _write(batches, out: Path, columns: int | None):
    import numpy as np

    from tfdfm import images

    if out.suffix.lower() == ".png":
        images.write_png(out, images.grid(np.concatenate(list(batches)), columns))
        return
    for number, image in enumerate(image for batch in batches for image in batch):
        images.write_png(out / f"{number:06d}.png", image)


if __name__ == "__main__":
    command.run(main, define, __doc__)
