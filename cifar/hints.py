"""What a key that does not exist was probably meant to be."""

import difflib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from cifar.errors import nearest

# What other programs call our keys.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "learning_rate": ("lr",),
    "base_lr": ("lr",),
    "max_lr": ("lr",),
    "wd": ("weight_decay",),
    "decay": ("weight_decay",),
    "l2": ("weight_decay",),
    "betas": ("beta1", "beta2"),
    "momentum": ("momentum", "beta1"),
    "eps": ("epsilon",),
    "bs": ("batch_size",),
    "batch": ("batch_size",),
    "batchsize": ("batch_size",),
    "mini_batch_size": ("batch_size",),
    "epoch": ("epochs",),
    "max_epochs": ("epochs",),
    "num_epochs": ("epochs",),
    "n_epochs": ("epochs",),
    "random_seed": ("seed",),
    "width": ("width", "widths"),
    "channels": ("width", "widths"),
    "dropout_rate": ("dropout",),
    "drop_rate": ("dropout",),
    "drop_path_rate": ("drop_path",),
    "stochastic_depth": ("drop_path",),
    "arch": ("architecture", "model"),
    "architecture": ("architecture", "model"),
    "network": ("model",),
    "net": ("model",),
    "dataset": ("data",),
    "data_dir": ("root",),
    "data_path": ("root",),
    "augment": ("aug",),
    "augmentation": ("aug",),
    "augmentations": ("aug",),
    "transform": ("aug",),
    "opt": ("optimizer",),
    "optim": ("optimizer",),
    "optimiser": ("optimizer",),
    "scheduler": ("schedule",),
    "lr_scheduler": ("schedule",),
    "lr_schedule": ("schedule",),
    "warmup": ("warmup_fraction",),
    "warmup_epochs": ("warmup_fraction",),
    "warmup_ratio": ("warmup_fraction",),
    "milestone": ("milestones",),
    "factor": ("gamma",),
    "framework": ("backend",),
    "logger": ("tracker",),
    "experiment": ("experiments",),
    "ema": ("ema_decay",),
    "clip": ("clip_norm",),
    "clip_grad": ("clip_norm",),
    "grad_clip": ("clip_norm",),
    "gradient_clip": ("clip_norm",),
    "gradient_clip_val": ("clip_norm",),
    "max_grad_norm": ("clip_norm",),
    "max_norm": ("clip_norm",),
    "smoothing": ("label_smoothing",),
    "amp": ("precision",),
    "dtype": ("precision",),
    "num_workers": ("workers",),
    "gpus": ("devices", "device"),
    "accelerator": ("device",),
    "output_dir": ("runs_dir",),
    "out_dir": ("runs_dir",),
    "save_dir": ("runs_dir",),
    "resume": ("on_existing",),
    "n_trials": ("hydra.sweeper.n_trials",),
    "n_jobs": ("hydra.launcher.n_jobs",),
}

# What other programs call our choices, as arguments of ours.
CHOICES: dict[str, dict[str, str]] = {
    "backend": {
        "pytorch": "backend=lightning",
        "torch": "backend=lightning",
        "pl": "backend=lightning",
        "tensorflow": "backend=keras",
        "tf": "backend=keras",
        "jax": "backend=keras backend.engine=jax",
    },
    "model": {
        "vit": "model=vit_tiny",
        "resnet": "model=resnet18",
        "wrn": "model=wrn16_4",
        "wideresnet": "model=wrn16_4",
    },
    "aug": {"default": "aug=basic", "randaugment": "aug=randaug", "trivialaugment": "aug=trivialaug"},
}


def did_you_mean(key: str, value: str | None, keys: Mapping[str, bool], groups: Mapping[str, Sequence[str]]) -> str:
    """` Did you mean optimizer.lr=0.1?`, or nothing. `keys`: those that the chosen config can have, and whether it has
    them (if not, + adds them); `groups`: their choices."""
    meant = nearest_keys(key, [*keys, "experiments"])
    lines = [_argument(one, value, keys, groups) for name in meant for one in _within(name, keys, groups)]
    return f" Did you mean {' or '.join(dict.fromkeys(lines))}?" if lines else ""


def choice_meant(group: str, given: str, choices: Sequence[str]) -> str:
    """` Did you mean backend=lightning?`, or nothing."""
    if line := CHOICES.get(group, {}).get(given.lower().replace("-", "").replace("_", "")):
        return f" Did you mean {line}?"
    return nearest(given, choices)


def nearest_keys(given: str, keys: Sequence[str]) -> list[str]:
    """Those of that name, or of the one that other programs' name stands for; else the one that is spelt most like it;
    those of the same section first."""
    if meant := synonymous(given, keys):
        return meant
    section, _, name = given.rpartition(".")
    here = {key.rpartition(".")[2]: key for key in keys if section and key.rpartition(".")[0] == section}
    anywhere = {key.rpartition(".")[2]: key for key in reversed(keys)}
    for wanted, pool in ((name, here), (given, {key: key for key in keys}), (name, anywhere)):
        if close := difflib.get_close_matches(wanted, list(pool), n=1, cutoff=0.6):
            return [pool[close[0]]]
        if here:
            break
    return []


def synonymous(given: str, keys: Sequence[str]) -> list[str]:
    """The keys of that name, in any section, or of the one that other programs' name stands for."""
    section, _, name = given.rpartition(".")
    names = SYNONYMS.get(name.lower(), (name,))
    meant = [key for one in names for key in keys if f".{key}".endswith(f".{one}") and key != given]
    return [key for key in meant if section and key.rpartition(".")[0] == section] or meant[:3]


def of_its_own(key: str, given: Any, keys: Mapping[str, bool]) -> str:
    """How a value is set inside something that is a section."""
    inside = [one for one in keys if one.startswith(f"{key}.") and "." not in one[len(key) + 1 :]]
    if not inside:  # an open section
        return f"+{key}.{given if isinstance(given, str) else 'NAME'}=VALUE"
    return " ".join(f"{one}=VALUE" for one in inside)


def quoting(kind: str, key: str, given: Any) -> str:
    """How text is given that looks like a number; nothing for another kind of error."""
    if kind != "string_type" or given is None or isinstance(given, dict | list):
        return ""
    text = f'"{given}"'
    return f" As text: {shlex.quote(f'{key}={text}')}; in a file, {key.rpartition('.')[2]}: {text}."


def _within(key: str, keys: Mapping[str, bool], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """What of a section can be set; the key itself if it is none."""
    inside = [one for one in keys if one.startswith(f"{key}.")] if key not in groups else []
    return [one for one in inside if not any(other.startswith(f"{one}.") for other in inside)] or [key]


def _argument(key: str, value: str | None, keys: Mapping[str, bool], groups: Mapping[str, Sequence[str]]) -> str:
    """The argument that sets `key`."""
    shown = "VALUE" if value is None else value
    if key in groups:
        if shown in groups[key] or "," in shown:
            return f"{key}={shown}"
        close = difflib.get_close_matches(shown, groups[key], n=1, cutoff=0.7)
        timm = f" or model=timm/{shown}" if key == "model" else ""
        return f"{key}={close[0] if close else 'NAME'}{timm}"
    return f"{'' if keys.get(key, True) else '+'}{key}={shown}"
