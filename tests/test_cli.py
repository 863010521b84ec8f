import argparse
import subprocess
import sys
from pathlib import Path

import pytest
from settings import ROOT

from cifar import cli

CIFAR = Path(sys.executable).parent / "cifar"


def test_every_file_of_commands_that_adds_one_is_listed():
    files = (ROOT / "cifar/commands").glob("*.py")
    adding = {path.stem for path in files if "\ndef add(" in path.read_text(encoding="utf-8")}
    assert adding == {command.__name__.rpartition(".")[2] for command in cli.COMMANDS}


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.__name__)
def test_a_command_has_the_name_of_its_file_a_help_text_and_its_own_run(command, capsys):
    parser = argparse.ArgumentParser(prog="cifar")
    commands = parser.add_subparsers()
    command.add(commands)
    name = command.__name__.rpartition(".")[2]
    assert list(commands.choices) == [name]
    assert commands.choices[name].get_default("run") is command.run
    (listed,) = commands._choices_actions
    assert len(listed.help) > 20


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


def test_the_command_line_is_read_without_loading_what_commands_need():
    program = "import sys, cifar.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"hydra", "matplotlib", "numpy", "omegaconf", "pydantic", "rich", "scipy", "yaml"} & set(
        done.stdout.split()
    )


def test_what_hydra_cannot_compose_is_still_explained(cifar_here):
    refused = cifar_here("parity", "modle=cnn")
    assert refused.returncode == 2
    assert "'modle'" in refused.stderr
    assert "Did you mean model=cnn?" in refused.stderr
