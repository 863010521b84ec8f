import subprocess
import sys
from pathlib import Path

from settings import ROOT

CIFAR = Path(sys.executable).parent / "cifar"


def test_augmentations_draws_every_policy(tmp_path):
    command = [CIFAR, "augmentations", "--data", "digits", "--out", "all.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all.png\n"
    assert (tmp_path / "all.png").stat().st_size > 50_000


def test_a_mistake_is_one_message(tmp_path):
    done = subprocess.run([CIFAR, "augmentations", "--data", "cifar11"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Did you mean 'cifar10'?" in done.stderr
    assert "Traceback" not in done.stderr
