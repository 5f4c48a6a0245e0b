"""What the soak serves: versions that are published and configurations that change."""

import shutil
from pathlib import Path

import numpy as np
import served
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

KINDS = 2


class Made:
    """Versions to copy, and their images."""

    def __init__(self, folder: Path):
        import servables

        self.paths = [served.export(folder / f"kind{kind}", kind) for kind in range(KINDS)]
        self.images = [served.images(path) for path in self.paths]
        self.gated, self.publish = servables.gated(folder / "gated"), servables.publish

    def right(self, version: int | None) -> list[np.ndarray]:
        return self.images if version is None else [self.images[version % KINDS]]


class Operator:
    """Publishes versions and changes the configuration."""

    def __init__(self, made: Made, root: Path):
        self.made, self.root, self.file = made, root, root / "models.config"
        self.moving, self.stuck, self.labels, self.extra = 1, 1, 1, False  # newest versions; `stable` is labels
        for name, numbers in {"moving": (1,), "labelled": (1, 2), "extra": (1,), "stuck": (1,)}.items():
            for number in numbers:
                self.publish(name, number)
        self.write()

    def base(self, name: str) -> Path:
        return self.root if name == "moving" else self.root / name  # below the operator's: ReloadConfig may name them

    def publish(self, name: str, number: int) -> None:
        made = self.made.gated if name == "stuck" else self.made.paths[number % KINDS]
        self.made.publish(made, self.base(name), number)
        shutil.rmtree(self.base(name) / str(number - 3), ignore_errors=True)

    def config(self) -> model_server_config_pb2.ModelServerConfig:
        config = model_server_config_pb2.ModelServerConfig()
        for name in ("moving", "labelled", "stuck", *(["extra"] if self.extra else [])):
            one = config.model_config_list.config.add(name=name, base_path=str(self.base(name)))
            if name == "labelled":
                one.model_version_policy.specific.versions.extend([self.labels, self.labels + 1])
                one.version_labels.update({"stable": self.labels, "canary": self.labels + 1})
        return config

    def write(self) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(text_format.MessageToString(self.config()))
        new.replace(self.file)
