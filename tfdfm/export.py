"""Exports a run's generator as a SavedModel for a model server, or for any TensorFlow program.

    python -m tfdfm.export --run_dir=runs/cifar10-seed0 --out=models/cifar10
    python -m tfdfm.serve --model_base_path=models/cifar10

Writes OUT/<version>/, one above the highest version there, whole or not at all.
"""

import json
from pathlib import Path

from absl import flags, logging

from tfdfm import cli


def define(values: flags.FlagValues):
    flags.DEFINE_string("run_dir", None, "a run of tfdfm.train", required=True, flag_values=values)
    flags.DEFINE_string("out", None, "folder of versions (default: RUN_DIR/export)", flag_values=values)
    flags.DEFINE_string("checkpoint", "last", "last, best or a step", flag_values=values)
    flags.DEFINE_integer(
        "batch_norm_latents",
        0,
        "estimate the batch-norm statistics anew from so many latents; 0: those of training",
        lower_bound=0,
        flag_values=values,
    )


def main(values: flags.FlagValues) -> None:
    from tfdfm.sampling import restore, saved_model

    run_dir = Path(values.run_dir)
    trained = restore.load(run_dir, values.checkpoint)
    if values.batch_norm_latents:
        saved_model.estimate_batch_norm(trained, values.batch_norm_latents)
    scores = run_dir / "evaluation" / f"{trained.step}.json"
    found = json.loads(scores.read_text()) if scores.exists() else {}
    logging.set_verbosity(logging.ERROR)  # TensorFlow tells of every step of saving
    path = saved_model.write(trained, Path(values.out or run_dir / "export"), found)
    print(f"{path}: serve it with python -m tfdfm.serve --model_base_path={path.parent}")


if __name__ == "__main__":
    cli.run(main, define, __doc__)
