"""The examples, used as their reader uses them: from a folder of the user's own."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from settings import BACKEND, ROOT, SWEPT
from sklearn.datasets import load_digits

from cifar import isolation, parity
from cifar.config import composed, from_yaml
from cifar.convert import convert
from cifar.errors import UserError
from cifar.runs.folder import RunFolder

SPECKLE = "+aug.albumentations=[{speckle\\:Speckle: {share: 0.05}}]"
MY_NET = ("model=custom", "model.torch=my_net:build", "model.keras=my_net_keras:build", "+model.arguments.width=4")
LION = ("optimizer=custom", "optimizer.torch=lion:Lion", "optimizer.keras=lion_keras:Lion")
LION_RATE = "optimizer.arguments.lr=0.001953125"
QUICK = [override for override in SWEPT if not override.startswith("model")]


@pytest.fixture
def examples(tmp_path, monkeypatch):
    """The current folder, with copies of them."""
    shutil.copytree(ROOT / "examples", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("speckle", "my_net", "my_net_keras", "lion", "lion_keras"):
        sys.modules.pop(name, None)


def test_a_run_with_everything_of_ones_own(train, examples):
    """In a process of its own: the current folder, and what is imported from it, are the process's."""
    own = ("--config-dir", "my_conf", "model=my_net", "model.arguments.width=4", *LION, LION_RATE, SPECKLE)
    done = train(*own, *QUICK, "epochs=1")
    assert done.returncode == 0, done.stderr
    (result,) = examples.glob("runs/main/my_net.build-*-lion.Lion-*/result.json")
    config = from_yaml((result.parent / "config.yaml").read_text())
    manifest = json.loads((result.parent / "manifest.json").read_text())
    kept = {name.partition("@")[0]: source for name, source in manifest["own_code"].items()}
    assert kept == {path.stem: path.read_text() for path in examples.glob("*.py")}
    assert config.model.torch.startswith("my_net:build@")
    assert config.model.torch.replace(":build", "") in manifest["own_code"]


@pytest.mark.slow
def test_a_run_is_done_until_code_that_it_uses_has_changed(train, examples):
    own = ("--config-dir", "my_conf", "model=my_net", "model.arguments.width=4", *LION, LION_RATE)
    assert "epoch 1/1" in train(*own, *QUICK, "epochs=1").stdout
    assert "Already done" in train(*own, *QUICK, "epochs=1").stdout
    (examples / ("my_net_keras.py" if BACKEND == "lightning" else "my_net.py")).open("a").write("# other backend\n")
    assert "Already done" in train(*own, *QUICK, "epochs=1").stdout, "this run does not use it"
    (examples / "lion.py").open("a").write("# changed\n")
    (examples / "lion_keras.py").open("a").write("# changed\n")
    assert "epoch 1/1" in train(*own, *QUICK, "epochs=1").stdout, "other code, another run"


def test_an_installed_optimizer_by_its_name(train, examples):
    named = ("optimizer=custom", "optimizer.torch=torch.optim.RMSprop", "optimizer.keras=keras.optimizers.RMSprop")
    done = train(*SWEPT, *named, "optimizer.arguments.lr=1e-3", "+optimizer.arguments.momentum=0.5", "epochs=1")
    assert done.returncode == 0, done.stderr
    (result,) = examples.glob("runs/main/cnn-*-torch.optim.RMSprop-*/result.json")
    text = (result.parent / "config.yaml").read_text()
    assert "torch.optim:RMSprop\n" in text, "installed packages have a version, and no digest"
    rates = [row.split(",") for row in (result.parent / "metrics.csv").read_text().splitlines()]
    assert float(rates[1][rates[0].index("lr")]) < 1e-3, "scaled by the schedule"


def test_pictures_of_ones_own(train, examples):
    """As the README makes them from scikit-learn's digits."""
    from PIL import Image

    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images[:300], digits.target[:300], strict=True)):
        folder = examples / "pictures" / "train" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 15).astype(np.uint8)).save(folder / f"{number}.png")
    quick = [override for override in SWEPT if not override.startswith("data")]
    done = train("data=folder", "data.root=pictures", "data.val_size=30", *quick, "epochs=1")
    assert done.returncode == 0, done.stderr
    assert list(examples.glob("runs/main/cnn-basic-adamw-pictures-*/result.json"))


def test_the_same_code_has_one_name_and_other_code_another(examples):
    first = composed(*MY_NET, SPECKLE)
    assert composed(*MY_NET, SPECKLE) == first
    for name in ("my_net", "speckle"):
        (examples / f"{name}.py").open("a").write("# changed\n")
        assert composed(*MY_NET, SPECKLE).run_name != first.run_name
    names = {composed(*MY_NET, f"backend={b}").run_name.rpartition("-")[2] for b in ("lightning", "keras")}
    twin = composed(*MY_NET, "backend=keras").run_name
    (examples / "my_net.py").open("a").write("# once more\n")
    assert len(names) == 2
    assert composed(*MY_NET, "backend=keras").run_name == twin
    alone = [override for override in MY_NET if "keras" not in override]
    assert composed(*alone).run_name == composed(*MY_NET).run_name, "a twin may be added later"
    assert composed(*MY_NET, "optimizer=custom", "optimizer.torch=torch.optim.SGD", LION_RATE) == composed(
        *MY_NET, "optimizer=custom", "optimizer.torch=torch.optim:SGD", LION_RATE
    )


def test_a_choice_in_ones_own_folder_is_the_same_run(examples):
    found = composed("model=my_net", "model.arguments.width=4", config_dir=examples / "my_conf")
    assert found.run_name == composed(*MY_NET).run_name


@pytest.mark.slow
def test_code_that_has_changed_since_is_not_taken_for_the_old(examples):
    config = composed(*MY_NET, "data=digits", "backend=lightning")
    (examples / "my_net.py").open("a").write("# changed\n")
    with isolation.process() as process, pytest.raises(UserError, match=r"my_net\.py has changed since: its digest"):
        process.submit(parity.first_weights, config).result()


@pytest.mark.slow
def test_network_and_optimizer_are_the_same_in_both_frameworks(examples):
    shared = (*MY_NET, *LION, LION_RATE, "data=digits", "clip_norm=1.0", "ema_decay=0.5", "+freeze.stem=0.5")
    findings = parity.check(*(composed(*shared, f"backend={b}") for b in ("lightning", "keras")))
    assert [str(finding) for finding in findings if not finding.equal] == []
    assert len(findings) == 7


@pytest.mark.slow
def test_names_that_do_not_match_are_refused_by_parity(examples):
    path = examples / "my_net_keras.py"
    path.write_text(path.read_text().replace('"head"', '"classifier"'))
    with pytest.raises(UserError, match=r"classifier\.weight|head\.weight .* Layers in Keras need the names"):
        parity.check(*(composed(*MY_NET, "data=digits", f"backend={b}") for b in ("lightning", "keras")))


@pytest.mark.slow
def test_a_trained_network_changes_sides(train, examples):
    done = train(*MY_NET, *QUICK, "epochs=1")
    assert done.returncode == 0, done.stderr
    (result,) = examples.glob("runs/main/*/result.json")
    other = "keras" if BACKEND == "lightning" else "lightning"
    there = convert(RunFolder(result.parent), composed(f"backend={other}").backend)
    assert there.result["largest_logit_difference"] < 1e-4


# What a user does: a wheel, a fresh environment, an empty folder.
@pytest.mark.slow
def test_the_examples_run_with_an_installed_package(tmp_path):
    def run(*command, cwd):
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            command, cwd=cwd, env={**environment, "WANDB_MODE": "offline"}, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    source = shutil.copytree(
        ROOT, tmp_path / "source", ignore=shutil.ignore_patterns(".venv", ".git", "runs", "data", "build", "*.egg-info")
    )
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, source, cwd=tmp_path)
    run(sys.executable, "-m", "venv", tmp_path / "fresh", cwd=tmp_path)
    python = tmp_path / "fresh" / "bin" / "python"
    (wheel,) = tmp_path.glob("*.whl")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    # The dependencies of this environment, but not its editable install: a .pth file there is not read.
    (site,) = (tmp_path / "fresh").glob("lib/python3*/site-packages")
    (site / "dependencies.pth").write_text(f"{np.__file__.partition('/numpy/')[0]}\n")
    work = shutil.copytree(ROOT / "examples", tmp_path / "work")
    command = (tmp_path / "fresh" / "bin" / "cifar", "train", *QUICK, "epochs=1")
    place = run(python, "-c", "import cifar; print(cifar.__file__)", cwd=work)
    assert str(tmp_path / "fresh") in place
    run(*command, "--config-dir", "my_conf", "model=my_net", cwd=work)
    run(*command, "model=cnn", "model.width=4", *LION, LION_RATE, cwd=work)
    run(*command, "model=cnn", "model.width=4", SPECKLE, cwd=work)
    assert len(list(work.glob("runs/main/*/result.json"))) == 3
