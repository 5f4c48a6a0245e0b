"""What a mistake looks like to the one who made it: one line, an exit code, no traceback."""

import re
import sys

import commands
import numpy as np
import pytest
from absl import logging
from PIL import Image

from tfdfm import cli, sample, train


@pytest.fixture
def call(monkeypatch, capfd, tmp_path):
    """Runs a command in this process, in an empty folder; its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.get_absl_handler(), "setFormatter", lambda formatter: None)

    def run(module, *arguments):
        monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.run(module.main, module.define, module.__doc__)
        return ended.value.code, *capfd.readouterr()

    return run


@pytest.fixture
def mistake(call):
    """The one line that a training command ends in, with code 2 and before anything was written."""

    def run(*arguments, code=2):
        got, _, err = call(train, *arguments)
        last = err.splitlines()[-1]
        assert got == code, err
        assert last.startswith("tfdfm: ") and "Traceback" not in err
        return last

    return run


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--dataset=cifar11", r"Unknown data set 'cifar11'. Did you mean 'cifar10.*Known: .*stl10"),
        ("--config=cifer10", r"Unknown recipe 'cifer10'. Did you mean 'cifar10'\? Known: .*stl10_gan"),
        ("--config=none.py", r"Unknown recipe 'none.py'.*digits"),
        ("--config.batchsize=3", r"Unknown key 'batchsize'. Did you mean 'batch_size'\?.*Given --config.batchsize=3"),
        ("--config.dfm.sigm=3", r"Unknown key 'dfm.sigm'. Did you mean 'dfm.sigma'\?"),
        ("--config.dfm=3", r"Unknown key 'dfm'"),
        ("--config.=3", r"Unknown key ''"),
        ("--config.terms=nonsaturating,dmf", r"Unknown term 'dmf'. Did you mean 'dfm'\? Known: acgan, .* dfm, .*ebgan"),
        ("--config.terms=dfm", r"Expected one term that trains G by itself .*minimax.* given none"),
        ("--config.terms=minimax,nonsaturating", r"Expected one term .* given minimax, nonsaturating"),
        ("--config.terms=minimax,dfm,dfm", "each term once"),
        ("--config.generator.network=DCGAM", r"Unknown generator 'DCGAM'. Did you mean 'DCGAN'\?"),
        ("--config.denoiser.network=Full", r"Unknown denoiser 'Full'.*Known: .*FullyConnected"),
        ("--config.steps=many", r"Expected --config.steps to be of type int, like 3000; given 'many'"),
        ("--config.steps=2.5", "Expected --config.steps to be of type int"),
        ("--config.dfm.sigma=loud", "Expected --config.dfm.sigma to be of type float"),
        ("--config.flip=yes", "Expected --config.flip to be of type bool"),
        ("--config.steps", "Expected --config.KEY=VALUE, given --config.steps"),
        ("--config.minimax.label=1", "minimax"),
        ("--config.batch_size=0", "Expected batch_size to be at least 1, given 0"),
        ("--seed=-1", "seed"),
        ("--config.seed=-1", "Expected seed to be at least 0, given -1"),
        ("--seeds=0,x", "Expected --config.seed to be of type int.*'x'"),
        ("--seeds=0,1 --run_dir=here", "--seeds makes a run directory for each seed"),
        ("--config.ema_decay=1.0", "Expected ema_decay in"),
        ("--config.batch_size=1798", "at most the 1797 images, given 1798"),
        ("--config.image_size=17", "one of 16, 32, 48, 64, 96, 128.* given 17"),
        ("--config.optimizer.learning_rate=-1", "Expected optimizer.learning_rate to be positive, given -1.0"),
        ("--config.generator.width=0", "Expected generator.width to be at least 1, given 0"),
        ("--jit=fast", "Unknown jit 'fast'.*auto, off, on"),
        ("--precision=float16", "Unknown precision 'float16'.*mixed_bfloat16"),
        ("--distribution=many", "Unknown distribution 'many'.*mirrored"),
        ("--config.prior=gauss", "Unknown prior 'gauss'"),
        ("--jit=on --config.batch_norm=synchronised", "--jit=on cannot compile batch_norm=synchronised"),
        ("--distribution=mirrored --config.batch_size=33", "multiple of 2, 2 replicas by 1 parts each, given 33"),
        ("--dataset=stl10 --config.conditional=True", "stl10 has none"),
        ("--steps=0", "steps"),
        ("--stesp=10", "Unknown command line flag 'stesp'"),
        ("--steps 10 --jit", "jit"),
        ("digits", "Expected --flag=value, given 'digits'"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(mistake, tmp_path, arguments, expected):
    line = mistake(*arguments.split())
    assert re.search(expected, line), line
    assert not list(tmp_path.iterdir())


def test_labels_asked_of_a_folder_without_classes(mistake, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(8):
        Image.fromarray(np.full((16, 16), i, np.uint8)).save(folder / f"{i}.png")
    assert "has none" in mistake(f"--dataset=folder:{folder}", "--config.conditional=True")
    assert "8" in mistake(f"--dataset=folder:{folder}", "--config.batch_size=9", "--run_dir=run")


def test_data_that_needs_the_network_is_one_line(mistake, tmp_path, monkeypatch):
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    line = mistake("--dataset=stl10", f"--data_dir={tmp_path / 'tfds'}", code=1)
    assert "stl10_binary.tar.gz" in line and "tfds build stl10" in line


@pytest.mark.parametrize("module", [train, sample])
def test_help_lists_the_flags_and_the_doc(call, module):
    code, out, err = call(module, "--help")
    assert code == 0 and not err
    assert module.__doc__.splitlines()[0] in out and "--run_dir" in out and "overrides" not in out


def test_flags_may_be_written_apart_from_their_values(call):
    flags = [flag for flag in commands.flags() if "denoiser" not in flag]
    code, out, err = call(train, "--config", "digits_gan", "--dry_run", *flags)
    assert code == 0, err
    assert "generator" in out and "denoiser" not in out


def test_loading_tensorflow_says_nothing_and_errors_are_still_seen():
    done = commands.run([sys.executable, "-m", "tfdfm.train", "--dry_run", *commands.flags()])
    assert done.stderr == ""
    broken = "import sys; sys.modules['tensorflow'] = None; import runpy; sys.argv = ['train', '--dry_run']; "
    broken += "runpy.run_module('tfdfm.train', run_name='__main__', alter_sys=True)"
    assert "Error: import of tensorflow halted" in commands.run([sys.executable, "-c", broken], code=1).stderr
