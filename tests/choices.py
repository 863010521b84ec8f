"""The choices that tests go through, from the lists that the program has: a new one is tested without an edit here."""

import yaml
from settings import ROOT

from cifar.config import Config
from cifar.custom import OwnCode
from cifar.schema import Choice, names, sections

BOTH = {"lightning", "keras"}


def presets(group: str) -> dict[str, str]:
    """The text of each file of conf/GROUP, by its name, apart from those that need a value to be given."""
    texts = {path.stem: path.read_text() for path in sorted((ROOT / "conf" / group).glob("*.yaml"))}
    return {name: text for name, text in texts.items() if "???" not in text}


def kinds(group: str) -> list[type[Choice]]:
    """The schemas of a group that exist in both frameworks and have a preset; not those of the user's own code, which
    tests/test_examples.py goes through."""
    found = [kind for kind in sections(Config.model_fields[group].annotation) if not issubclass(kind, OwnCode)]
    return [kind for kind in found if set(kind.backends) >= BOTH and set(names(kind)) & presets(group).keys()]


MODELS = tuple(name for kind in kinds("model") for name in names(kind))
FAMILIES = tuple(names(kind)[0] for kind in kinds("model"))  # one network for each schema
OPTIMIZERS = tuple(name for kind in kinds("optimizer") for name in names(kind))
AUGS = tuple(presets("aug"))


def frozen(group: str, name: str) -> dict[str, object]:
    """What tests/frozen holds about a choice. Raises FileNotFoundError if nobody has frozen it."""
    return yaml.safe_load((ROOT / "tests/frozen" / group / f"{name}.yaml").read_text())
