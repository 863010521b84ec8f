"""Run folders, found below other folders and read as they are: by those who only look at runs.

Importing this takes milliseconds; the schema, which takes most of a second, is loaded when a config is read."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cifar.errors import UserError

_TRACES = {".lock", "status.json", "manifest.json", "metrics.csv", "result.json", "predictions.npz", "checkpoints"}


class Unusable(Exception):
    """Why a folder is left out."""


def run_folders(folder: Path, seen: set[tuple[int, int]], left_out: list[tuple[Path, str]]) -> Iterator[Path]:
    """`folder` if it holds a run, else those below it; each once, however it is reached: `seen` holds their (device,
    inode). A folder that vanishes meanwhile is passed over. `left_out`: gets those that cannot be used, and why."""
    try:
        found = folder.stat()
        if (identity := (found.st_dev, found.st_ino)) in seen:
            return
        seen.add(identity)
        if os.path.exists(folder / "config.yaml"):  # noqa: PTH110 (False for what this user may not see)
            yield folder
            return
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        left_out.append((folder, f"cannot be read ({error.strerror})"))
        return
    before = len(seen)
    for entry in entries:
        if entry.name != "checkpoints" and not entry.name.startswith(".") and entry.is_dir():
            yield from run_folders(folder / entry.name, seen, left_out)
    names = {entry.name for entry in entries}
    if names & _TRACES and len(seen) == before:  # the folder of a study may hold such files too, beside its runs
        left_out.append((folder, "has no config.yaml: not started yet, or half deleted"))


def read_config(path: Path) -> dict[str, Any]:
    """What a config.yaml of any version says, in the keys of this version. Raises Unusable."""
    import yaml

    from cifar.config import upgraded

    try:
        config = yaml.load(path.read_text(encoding="utf-8"), _loader())  # noqa: S506 (a safe one)
    except OSError as error:
        raise Unusable(f"config.yaml cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, ValueError):
        raise Unusable("config.yaml is damaged") from None
    if not config:
        raise Unusable("config.yaml is empty")
    if not (isinstance(config, dict) and isinstance(config.get("model"), dict) and isinstance(config.get("seed"), int)):
        raise Unusable("config.yaml is not the config of a run")
    try:
        return upgraded(config)
    except UserError as error:
        raise Unusable(str(error)) from None


def _loader() -> Any:
    """libyaml's reads a thousand configs in two seconds, the other takes twenty."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file: empty if there is no such file, None if it is damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) and value else None


def is_housekeeping(key: str) -> bool:
    """Whether a dotted key of the config says where a run is kept, not what it is."""
    from cifar.config import HOUSEKEEPING_KEYS

    return any(key == name or key.startswith(f"{name}.") for name in HOUSEKEEPING_KEYS)
