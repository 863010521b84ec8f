"""README.md and docs/: every command that they show is a valid one, and every page can be found."""

import shutil
from pathlib import Path

import pytest
import yaml
from documents import PAGES, Command, commands
from hydra.types import RunMode
from settings import ROOT

from cifar import arguments, cli, studies
from cifar.config import PRIMARY, composed, config_loader, vocabulary
from cifar.sweeps import composition

TRAINING = [command for command in commands() if command.program == "train"]
OTHERS = [command for command in commands() if command.program.startswith("cifar ")]
# Large networks, studies of hours, clusters: these are composed only.
LONG = {
    "experiments=",
    "resnet",
    "vit",
    "timm",
    "wrn",
    "hydra/launcher=slurm",
    "hydra/launcher=ray",
    "optuna",
    "--help",
}
SHRUNK = (
    "data=digits", "data.train_size=128", "data.val_size=50", "epochs=1", "batch_size=64", "tracker=none",
    "backend.workers=0",
)  # fmt: skip


def named(command: Command) -> str:
    return f"{command.page}: {command.line}"


def test_pages_show_commands():
    assert len(TRAINING) > 10
    assert {command.page for command in TRAINING} >= {"README.md", "docs/configure.md", "docs/sweep.md"}


@pytest.mark.parametrize("command", TRAINING, ids=named)
def test_a_command_that_trains_composes_to_a_valid_config(command):
    options, overrides, sweeps = arguments.separated(command.given)
    if {"--help", "--config-dir"} & set(options):
        pytest.skip("the examples' tests run it" if "--config-dir" in options else "it composes nothing")
    overrides = arguments.understood(overrides, vocabulary())
    with config_loader() as loader:
        if not (sweeps or studies.sweeps(loader, PRIMARY, overrides)):
            composed(*overrides)
            return
        overrides = arguments.postponed(overrides)
        settings = loader.load_configuration(PRIMARY, overrides, RunMode.MULTIRUN)
        given = [*settings.hydra.overrides.task, *settings.hydra.sweeper.later]
        found = composition.by_study(loader, settings, [one for one in given if "interval(" not in one])
        configs, problems = composition.composed(loader, found)
    problems.refuse()
    assert configs


@pytest.mark.parametrize("command", OTHERS, ids=named)
def test_a_command_of_cifar_parses(command):
    cli.parser().parse_args(command.arguments[1:])


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert [page for page in sorted(pages - {"template.md"}) if page not in text] == []
    assert yaml.safe_load(text)["strict"]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder to run commands in, which keeps what they leave."""
    return tmp_path_factory.mktemp("documented")


@pytest.mark.slow
@pytest.mark.parametrize("command", TRAINING, ids=named)
def test_a_command_that_trains_runs(command, train, tmp_path):
    if any(part in word for word in command.given for part in LONG) or "--config-dir" in command.given:
        pytest.skip("composed only")
    given = [word for word in command.given if not word.startswith(("data=", "epochs=", "data."))]
    shutil.copytree(ROOT / "examples", tmp_path, dirs_exist_ok=True)
    done = train(*given, *SHRUNK)
    assert done.returncode == 0, done.stdout + done.stderr
