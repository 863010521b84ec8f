import subprocess
import sys
from pathlib import Path

import pytest
from settings import ROOT

CIFAR = Path(sys.executable).parent / "cifar"


def test_augmentations_draws_every_policy(cifar_here, tmp_path):
    done = cifar_here("augmentations", "--data", "digits", "--out", "all.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all.png\n"
    assert (tmp_path / "all.png").stat().st_size > 50_000


def test_curves_of_runs_that_share_a_name(cifar_here, tmp_path):
    header = "epoch,train/loss,train/acc,val/loss,val/acc,lr,images_per_second,seconds\n"
    for study in ("one", "other"):
        (tmp_path / study / "run").mkdir(parents=True)
        (tmp_path / study / "run/metrics.csv").write_text(
            header + "1,1,0.5,1,0.5,0.1,100,1\n2,0.5,0.7,0.6,0.6,0.1,100,1\n"
        )
    done = cifar_here("curves", "one/run", "other/run", "--out", "both.png")
    assert (done.returncode, done.stdout) == (0, "both.png\n"), done.stderr
    refused = cifar_here("curves", "one", "other/run")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: no epochs are recorded in ")


def test_a_mistake_is_one_message():
    """In a process, as the command is installed."""
    done = subprocess.run([CIFAR, "augmentations", "--data", "cifar11"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Did you mean 'cifar10'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["augmentations"], ["curves", "run"]])
@pytest.mark.parametrize("out", ["-", "picture", "picture.xyz"])
def test_a_picture_goes_to_a_file_of_a_known_kind(cifar_here, tmp_path, command, out):
    refused = cifar_here(*command, "--out", out)
    assert refused.returncode == 2
    assert "does not end in .png, .pdf, .svg" in refused.stderr
    assert list(tmp_path.iterdir()) == []
