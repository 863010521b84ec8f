"""The package as `pip install` leaves it: used from an empty folder, without the checkout."""

import os
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from settings import ROOT, TINY


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The Python of an environment with a wheel of this checkout, and what else is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    subprocess.run(["tar", "--null", "-T", "-", "-cf", folder / "source.tar"], cwd=ROOT, input=listed, check=True)
    source.mkdir()
    subprocess.run(["tar", "-xf", folder / "source.tar", "-C", source], check=True)
    _pip(sys.executable, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, source)
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv/bin/python"
    paths = [path for path in site.getsitepackages() if Path(path).is_dir()]
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    (wheel,) = folder.glob("*.whl")
    _pip(sys.executable, "--python", python, "install", "--no-deps", wheel)
    # Without the .pth files there, one of which leads to the checkout.
    (own / "others.pth").write_text("".join(f"{path}\n" for path in paths))
    return python


def _pip(python: object, *arguments: object) -> None:
    subprocess.run([python, "-m", "pip", "--quiet", *map(str, arguments)], check=True, capture_output=True)


def _run(command: list[object], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def test_cifar_train_runs_from_any_folder(installed, tmp_path):
    done = _run([installed.parent / "cifar", "train", "-m", *TINY, "seed=0", "tracker=none"], tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    assert len(list(tmp_path.glob("runs/main/*/result.json"))) == 1


def test_the_package_brings_its_config_and_studies(installed, tmp_path):
    shown = _run([installed.parent / "cifar", "train", "--help"], tmp_path).stdout
    assert "quickstart" in shown
    where = _run([installed, "-c", "from cifar.places import CONF; print(CONF)"], tmp_path).stdout
    assert str(installed.parents[1]) in where
    inside = {path.relative_to(where.strip()) for path in Path(where.strip()).rglob("*.yaml")}
    assert inside == {path.relative_to(ROOT / "conf") for path in _yaml_files(ROOT / "conf")}


def test_a_missing_package_is_installed_by_the_name_of_the_distribution(installed, tmp_path):
    shown = _run([installed, "-c", "from cifar.extras import command; print(command('keras'))"], tmp_path).stdout
    assert shown == "pip install 'cifar-experiments[keras]'\n"


def _yaml_files(folder: Path) -> list[Path]:
    return [
        Path(base) / name
        for base, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.endswith(".yaml")
    ]
