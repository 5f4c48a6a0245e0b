"""The tools that try to break the package, in short; docs/reliability.md has what they found at length."""

import os
import shutil
import sys
from pathlib import Path

import commands
import pytest

TOOLS = Path(__file__).parents[1] / "tools" / "reliability"


def tool(name: str, *flags: str) -> str:
    """What it prints; it must end well."""
    return commands.run([sys.executable, TOOLS / name, *flags], timeout=1200).stdout


@pytest.mark.slow
def test_a_training_killed_anywhere_ends_as_if_it_was_not():
    said = tool("kills.py", "--kills=1", "--only=training of cifar10_began")
    assert "1 kills, 0 chains ended otherwise" in said


@pytest.mark.whole
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not on the PATH")
def test_a_training_whose_power_went_ends_as_if_it_had_not():
    assert "1 losses, 0 wrong" in tool("power_loss.py", "--losses=1")
    assert "40 losses, 0 wrong" in tool("power_loss.py", "--losses=40", "--of=export")


CAN_MOUNT = os.path.exists("/dev/loop-control") and os.geteuid() == 0 and shutil.which("mkfs.ext4")


@pytest.mark.whole
@pytest.mark.skipif(not CAN_MOUNT, reason="needs root, loop devices and mkfs.ext4")
def test_a_training_whose_disk_is_full_or_dies_says_so_and_goes_on():
    assert "2 faults, 0 wrong" in tool("disks.py", "--faults=2", "--only=full,dies")


@pytest.mark.whole
def test_no_damage_goes_unseen():
    assert "45 damages, 0 faults" in tool("damages.py", "--num=45")


@pytest.mark.whole
def test_what_is_promised_everywhere_is_the_same():
    assert "OTHER" not in tool("determinism.py")
