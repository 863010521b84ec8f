"""The pages of the reference that are made from the code whenever the site is built: mkdocs runs this file."""

import argparse
from collections.abc import Iterator

import mkdocs_gen_files

from cifar import cli, migration
from cifar.metrics import METRICS
from cifar.reference import Key, keys


def config_keys() -> Iterator[str]:
    """Every key of the config, by section."""
    yield "# Config keys"
    yield (
        "Set a key on the command line (`epochs=20`, `optimizer.lr=0.1`) or in a YAML file in `conf/`. "
        "`cifar help KEY` prints an entry of this page. *New run* says whether another value starts another run, in a "
        "folder of its own."
    )
    section = None
    for key in keys():
        head = key.name.partition(".")[0]
        if head != section:
            yield f"## {head}"
            section = head
        of = f" (of {', '.join(f'`{choice}`' for choice in key.choices)})" if key.choices else ""
        yield f"### `{key.name}`{of}" if key.name != head else key.meaning
        if key.name != head:
            yield key.meaning
        yield _facts(key)


def _facts(key: Key) -> str:
    rows = [("Type", key.type), ("Allowed", key.allowed), ("New run", key.identity)]
    defaults = ", ".join(
        f"`{setting.value}`" + (f" ({setting.choice})" if setting.choice else "") for setting in key.settings
    )
    lines = [f"- {name}: {value}" for name, value in [*rows, ("Default", defaults)] if value]
    return "\n".join(lines)


def commands() -> Iterator[str]:
    """Every subcommand of `cifar` with its options."""
    yield "# Commands"
    yield (
        "`python train.py` in a checkout and `cifar train` anywhere train, sweep and search: see "
        "[configure a run](../configure.md). The others are:"
    )
    (subparsers,) = (action for action in cli.parser()._actions if isinstance(action, argparse._SubParsersAction))
    for name, subparser in subparsers.choices.items():
        subparser.formatter_class = _Wide
        yield f"## cifar {name}"
        yield f"```text\n{subparser.format_help().strip()}\n```"


class _Wide(argparse.HelpFormatter):
    """Of one width, whatever the terminal's."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=28, width=100)


def metrics() -> Iterator[str]:
    """Every number that a run records."""
    yield "# Metrics"
    yield (
        "The names are the same in `result.json`, `metrics.csv` and the trackers. Fractions are shown as percentages. "
        "`cifar compare --metric` takes the metrics that have a direction."
    )
    rows = "\n".join(f"| `{m.name}` | {m.unit} | {m.better or ''} |" for m in METRICS.values())
    yield f"| metric | unit | better |\n|---|---|---|\n{rows}"


def renamed() -> Iterator[str]:
    """The old names of keys and choices."""
    yield "# Renamed keys"
    yield (
        "Older run folders are read under the new names and keep their own. The command line refuses an old name and "
        "says the new one. Schema is the version in `config.yaml` that introduced the name."
    )
    keys = [(since, f"`{old}`", f"`{new}`") for since, old, new in migration.RENAMED]
    values = [(since, f"`{key}={old}`", f"`{key}={new}`") for since, key, old, new in migration.RENAMED_VALUES]
    rows = "\n".join(f"| {old} | {new} | {since} |" for since, old, new in [*keys, *values])
    yield f"| old | new | schema |\n|---|---|---|\n{rows}"


PAGES = {"config": config_keys, "commands": commands, "metrics": metrics, "renamed": renamed}

for name, page in PAGES.items():
    with mkdocs_gen_files.open(f"reference/{name}.md", "w") as file:
        file.write("\n\n".join(page()) + "\n")
