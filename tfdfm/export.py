"""Exports a run's generator: as a SavedModel for a model server or any TensorFlow program, as ONNX or for LiteRT.

    python -m tfdfm.export --run_dir=runs/cifar10-seed0 --out=models/cifar10
    python -m tfdfm.serve --model_base_path=models/cifar10
    python -m tfdfm.export --run_dir=runs/cifar10-seed0 --out=models/cifar10-onnx --format=onnx
    python -m tfdfm.export --run_dir=runs/cifar10-seed0 --out=models/cifar10-int8 --format=tflite --weights=int8

Writes OUT/<version>/, one above the highest version there, whole or not at all.
"""

from absl import flags

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
    flags.DEFINE_enum(
        "weights",
        "float32",
        ["float32", "float16", "int8"],
        "as they are stored; float16 is half as large, and images differ by a level of 255 at most here and there; "
        "int8 is of tflite",
        flag_values=values,
    )
    kinds, text = ["saved_model", "onnx", "tflite"], "onnx: a file for each signature but png; tflite: from_latents"
    flags.DEFINE_enum("format", "saved_model", kinds, text, flag_values=values)
    flags.DEFINE_bool("hub", False, "write README.md, the page of the Hugging Face Hub", flag_values=values)


def main(values: flags.FlagValues) -> None:
    from tfdfm import api, stores

    run = api.load(values.run_dir, values.checkpoint)
    how = {name: values[name].value for name in ("batch_norm_latents", "weights", "format", "hub")}
    path = run.export(values.out, **how)
    files = ", ".join(sorted(each.name for each in path.iterdir()))
    serve = f"serve it with python -m tfdfm.serve --model_base_path={stores.name(path.parent)}"
    print(f"{stores.name(path)}: {serve if values.format == 'saved_model' else files}")


if __name__ == "__main__":
    cli.run(main, define, __doc__)
