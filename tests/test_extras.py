"""Without an optional package: what needs it names the command that installs it, and everything else works."""

import os
import subprocess
import sys
import tomllib

import pytest
from compare.folders import study
from settings import ROOT

from cifar import extras

PACKAGES = {package for packages in extras.EXTRAS.values() for package in packages}
# Of the packages, Python finds only what the current folder may have under their names.
HIDDEN = """
import os
from importlib.machinery import PathFinder

find = PathFinder.find_spec

def found(name, path=None, target=None):
    return find(name, [os.getcwd()] if name in {packages!r} else path, target)

PathFinder.find_spec = found
"""
RUN = (
    "data=digits", "data.train_size=256", "model=cnn", "model.width=8", "epochs=1", "batch_size=64",
    "backend.device=cpu",
)  # fmt: skip


@pytest.fixture
def without(tmp_path):
    """`without("keras")("train.py", …)`: the program where these packages are not installed."""

    def blocked(*packages):
        (tmp_path / "sitecustomize.py").write_text(HIDDEN.format(packages=packages))
        path = os.pathsep.join(filter(None, (str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH"))))

        # A W&B service that another test started in this process is not the program's.
        environment = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}

        def run(*command):
            return subprocess.run(
                [sys.executable, *map(str, command)],
                cwd=tmp_path,
                env={**environment, "PYTHONPATH": path, "WANDB_MODE": "offline"},
                capture_output=True,
                text=True,
                timeout=300,
            )

        return run

    return blocked


def test_every_extra_is_in_pyproject_and_in_all():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = declared["optional-dependencies"]
    assert set(extras.EXTRAS) == set(optional) - {"all", "dev", "docs"}
    assert optional["all"] == [f"cifar-experiments[{','.join(extras.EXTRAS)}]"]
    base = " ".join(declared["dependencies"])
    assert not [package for package in PACKAGES if package.replace("_", "-") in base]


@pytest.mark.parametrize(
    ("missing", "arguments", "command"),
    [
        ("timm", ["backend=lightning"], "[lightning]"),
        ("keras", ["backend=keras"], "[keras]"),
        ("tensorflow", ["backend=keras"], "[keras]"),
        ("jax", ["backend=keras", "backend.engine=jax"], "[jax]"),
        ("torch", ["backend=keras", "backend.engine=torch"], "[keras,lightning]"),
        ("wandb", ["tracker.mode=offline"], "[wandb]"),
        ("submitit", ["-m", "hydra/launcher=slurm"], "[submitit]"),
        ("submitit", ["-m", "hydra/launcher=submitit_local"], "[submitit]"),
        ("ray", ["-m", "hydra/launcher=ray"], "[ray]"),
        ("optuna", ["-m", "hydra/sweeper=optuna", "batch_size=32,64"], "[optuna]"),
    ],
)
def test_what_needs_a_missing_package_names_the_command_that_installs_it(without, missing, arguments, command):
    done = without(missing)(ROOT / "train.py", *RUN, *arguments)
    assert done.returncode == 2, done.stderr + done.stdout
    assert f"the package {missing} is not installed. Install it with `pip install -e '.{command}'`." in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.slow
def test_a_sweep_that_needs_a_missing_package_is_refused_before_its_first_job(without, tmp_path):
    done = without("keras")(ROOT / "train.py", "-m", *RUN, "tracker=none", "backend=lightning,keras")
    assert done.returncode == 2
    assert "pip install -e '.[keras]'" in done.stderr
    assert not list(tmp_path.glob("runs/*/*"))


def test_a_run_needs_nothing_but_its_framework(without, tmp_path):
    (tmp_path / "wandb").mkdir()  # a folder, as W&B leaves it, is not the package
    run = without(*(PACKAGES - set(extras.EXTRAS["lightning"])))
    done = run(ROOT / "train.py", *RUN, "backend=lightning")
    assert done.returncode == 0, done.stderr + done.stdout
    notice = "W&B is not installed; the run goes without it (pip install -e '.[wandb]' installs it)."
    assert done.stdout.splitlines().count(notice) == 1


@pytest.mark.slow
def test_keras_on_jax_needs_no_tensorflow(without):
    done = without(*(PACKAGES - {"keras", "jax"}))(ROOT / "train.py", *RUN, "backend=keras", "backend.engine=jax")
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.slow
def test_keras_on_tensorflow_needs_no_pytorch(without):
    done = without(*(PACKAGES - {"keras", "tensorflow"}))(ROOT / "train.py", *RUN, "backend=keras")
    assert done.returncode == 0, done.stderr + done.stdout


def test_a_config_is_shown_without_any_framework(without):
    done = without(*PACKAGES)(ROOT / "train.py", "--cfg", "job", "model=vit_tiny")
    assert done.returncode == 0, done.stderr


def test_runs_are_compared_and_augmentations_drawn_without_any_framework(without, tmp_path):
    study(tmp_path / "runs" / "main", {("model=cnn",): [0.7, 0.8], ("model=resnet18",): [0.8, 0.9]})
    run = without(*PACKAGES)
    program = "from cifar.cli import main; main()"
    compared = run("-c", program, "compare", "runs/main", "--html", "report.html")
    assert compared.returncode == 0, compared.stderr
    drawn = run("-c", program, "augmentations", "--data", "digits")
    assert drawn.returncode == 0, drawn.stderr
