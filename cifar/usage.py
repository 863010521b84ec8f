"""What `python train.py --help` shows: one screen, at once, without Hydra or a framework."""

import textwrap

from cifar.places import CONF

_EXAMPLES = """\
Train an image classifier on CIFAR from one config and record it completely.

  python train.py                                  ResNet-18 on CIFAR-10
  python train.py model=cnn aug=randaug epochs=8   other choices, other values
  python train.py -m model=cnn,vit_tiny seed=0,1   a sweep: every combination
  python train.py model=cnn --cfg job              print the config, run nothing
"""
_MORE = """\
Set group=choice, key=value or group.key=value; +key=value adds, ~key removes.
cifar help lists all keys; cifar help optimizer.lr explains one.
Hydra's own options: --hydra-help.  Guides: README.md and docs/."""

_ORDER = ("model", "aug", "optimizer", "schedule", "data", "backend", "tracker", "experiments", "hydra/launcher",
          "hydra/sweeper")  # fmt: skip
_WIDTH = 80


def usage() -> str:
    """At most 24 lines of 80 characters."""
    lines = []
    for group in _ORDER:
        names = ", ".join(sorted(path.stem for path in (CONF / group).glob("*.yaml")))
        width = max(map(len, _ORDER)) + 1
        lines += textwrap.wrap(names, _WIDTH, initial_indent=f"{group:<{width}}", subsequent_indent=" " * width)
    return "\n".join([_EXAMPLES, *lines, "", _MORE])
