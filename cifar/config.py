"""The typed schema of a run. YAML holds the defaults; this says which keys exist and which values make sense."""

import contextlib
import functools
import hashlib
import json
import re
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from cifar import arguments, config_errors, migration, schema, studies
from cifar.arguments import Vocabulary
from cifar.augment import Augmentation
from cifar.datasets import Data
from cifar.errors import UserError
from cifar.models import Model
from cifar.optimizers import Optimizer
from cifar.schedule import Schedule
from cifar.schema import (
    HOUSEKEEPING,
    TESTING,
    Aside,
    BelowOne,
    Choice,
    FileName,
    Fraction,
    InsideOne,
    Neutral,
    Section,
    Seed,
    flat,
    identity,
)
from cifar.trackers import Tracker

_PACKAGE = Path(__file__).resolve().parent
INSTALLED = (_PACKAGE / "conf").is_dir()  # from a wheel, which has conf/ inside; a checkout has it beside
CONF = (_PACKAGE if INSTALLED else _PACKAGE.parent) / "conf"
PRIMARY = "config"  # conf/config.yaml


# One machine's auto is another's cpu, and a name may not depend on the machine.
Device = Annotated[Literal["auto", "cpu", "gpu"], Neutral("auto", ("cpu",))]
Workers = Annotated[Literal["auto"] | Annotated[int, Field(ge=0, le=256)], HOUSEKEEPING]


class Lightning(Section):
    """PyTorch through PyTorch Lightning."""

    name: Literal["lightning"]
    device: Device
    devices: Annotated[PositiveInt, Neutral(1)] = Field(description="processes of data-parallel training")
    workers: Workers = Field(description="processes that prepare batches, unless the GPU does")
    compile: Annotated[bool, Neutral(False)] = Field(description="torch.compile the network")
    profile: Annotated[bool, HOUSEKEEPING] = Field(description="find out where the time goes")

    @property
    def label(self) -> str:
        return self.name


class Keras(Section):
    """Keras 3 on one of its engines."""

    name: Literal["keras"]
    engine: Literal["tensorflow", "jax", "torch"]
    device: Device
    workers: Workers = Field(description="threads that prepare batches")
    compile: Annotated[Literal["auto"] | bool, Neutral("auto")] = Field(
        description="compile the training step: XLA, or torch.compile"
    )
    profile: Annotated[bool, HOUSEKEEPING] = Field(description="find out where the time goes")

    @property
    def label(self) -> str:
        return self.name if self.engine == "tensorflow" else f"{self.name}_{self.engine}"


Backend = Annotated[Lightning | Keras, Field(discriminator="name")]


class Evaluation(Section):
    """When the network is validated, and how it is tested."""

    validate_every: Annotated[PositiveInt, Neutral(1)] = Field(description="epochs from one validation to the next")
    tta: Annotated[Literal["none", "flip", "flip_shift"], TESTING] = Field(
        description="views of each test image that are averaged"
    )
    tta_share: Annotated[float, Field(gt=0, le=1), TESTING] = Field(
        description="share of the images, the least sure ones, that are shown in more than one view"
    )

    @property
    def views(self) -> dict[str, Any]:
        """How the network is tested."""
        return {"tta": self.tta, "tta_share": 1.0 if self.tta == "none" else self.tta_share}

    @property
    def label(self) -> str:
        """`flip_shift-0.25`: the views as a file's name."""
        tta, share = self.views.values()
        return tta if share == 1 else f"{tta}-{share}"


class Sweep(Section):
    """How the jobs of a sweep are dealt with; of no meaning to a single run."""

    retry_failed: Annotated[bool, Neutral(True)] = Field(description="whether a job that failed earlier is tried again")
    fail_fast: Annotated[bool, Neutral(False)] = Field(description="whether the first failure stops the sweep")
    time_limit: Annotated[PositiveFloat | None, Neutral(None)] = Field(
        description="seconds after which a job is stopped and counts as failed"
    )


class Config(Section):
    """One run, complete."""

    model: Model
    aug: Augmentation
    optimizer: Optimizer
    schedule: Schedule
    backend: Backend
    data: Data
    tracker: Annotated[Tracker, HOUSEKEEPING]
    seed: Seed
    epochs: Annotated[int, Field(gt=0, le=100_000)]
    batch_size: PositiveInt = Field(description="images a step, over all devices together")
    precision: Literal["auto", "fp32", "bf16", "fp16", "fp64"]
    label_smoothing: Annotated[BelowOne, Neutral(0.0)]
    clip_norm: Annotated[PositiveFloat | None, Neutral(None)] = Field(
        description="largest L2 norm of the whole gradient"
    )
    ema_decay: Annotated[InsideOne | None, Neutral(None)] = Field(description="of the averaged weights, per step")
    freeze: Annotated[dict[str, Fraction], Neutral({})] = Field(
        description="of the epochs, for which a part of the network is trained"
    )
    evaluation: Evaluation
    study: Annotated[FileName, HOUSEKEEPING]
    runs_dir: Annotated[str, Field(min_length=1), HOUSEKEEPING]
    on_existing: Annotated[Literal["resume", "skip", "rerun", "fail"], HOUSEKEEPING]
    sweep: Annotated[Sweep, HOUSEKEEPING]

    @field_validator("freeze", mode="before")
    @classmethod
    def _parts_have_dotted_names(cls, given: Any) -> Any:
        """`+freeze.stages.0=0.5` reaches us as {"stages": {"0": 0.5}}."""
        return dict(flat(given)) if isinstance(given, dict) else given

    @field_validator("freeze")
    @classmethod
    def _all_epochs_is_not_frozen(cls, freeze: dict[str, float]) -> dict[str, float]:
        return {part: share for part, share in freeze.items() if share < 1}

    @field_validator("evaluation")
    @classmethod
    def _the_last_epoch_is_always_validated(cls, evaluation: Evaluation, info: ValidationInfo) -> Evaluation:
        every = min(evaluation.validate_every, info.data.get("epochs", evaluation.validate_every))
        return evaluation.model_copy(update={"validate_every": every})

    @model_validator(mode="after")
    def _devices_share_the_batch(self) -> "Config":
        if isinstance(self.backend, Lightning) and self.batch_size % self.backend.devices:
            raise ValueError(
                f"batch_size {self.batch_size} must be divisible by backend.devices {self.backend.devices}"
            )
        return self

    @model_validator(mode="after")
    def _the_backend_has_it(self) -> "Config":
        backend = self.backend.name
        for group, choice in self:
            if isinstance(choice, Choice) and backend not in choice.backends:
                others = [other for other in _choices(group) if backend in other.backends]
                raise ValueError(
                    f"{group}={choice.name} exists for backend={' and '.join(choice.backends)} only; use that, or with "
                    f"backend={backend} one of {_listed(others)}"
                )
        return self

    @model_validator(mode="after")
    def _the_engine_can_do_it(self) -> "Config":
        if not isinstance(self.backend, Keras):
            return self
        engine = self.backend.engine
        if self.precision == "fp16":
            raise ValueError("precision=fp16: only backend=lightning scales the loss for it; Keras has bf16")
        if self.precision == "fp64" and engine != "tensorflow":
            raise ValueError(
                f"precision=fp64: on {engine}, Keras computes batch norms in float32; use backend.engine=tensorflow or "
                f"backend=lightning"
            )
        return self

    @model_validator(mode="after")
    def _the_network_takes_smaller_images(self) -> "Config":
        if not self.aug.resizing:
            return self
        steps = ", ".join(f"aug.{name}" for name in self.aug.resizing)
        if isinstance(self.backend, Keras):
            raise ValueError(
                f"{steps}: Keras builds a network for one size of image; use backend=lightning, or "
                "another aug (aug=alternating is aug=progressive_resize without it)"
            )
        if not self.model.smaller_images:
            others = [other for other in _choices("model") if other.smaller_images]
            raise ValueError(
                f"{steps}: model={self.model.name} is not known to take smaller images; use one of "
                f"{_listed(others)}, or another aug"
            )
        return self

    def validates(self, epoch: int) -> bool:
        """Whether validation follows on an epoch (0-based): always on the last."""
        return (epoch + 1) % self.evaluation.validate_every == 0 or epoch + 1 == self.epochs

    @property
    def run_name(self) -> str:
        """`resnet18-randaug-sgd-cifar10-keras-s0-1a2b3c4d`: readable choices, then a hash of every choice that can
        change the result."""
        return self._named(self.model.label, self.aug.name, self.optimizer.name)

    @property
    def first_run_name(self) -> str:
        """The run's name in the first version of the program. The hash is the same, a choice may have been renamed."""
        choices = {"model.name": self.model.label, "aug.name": self.aug.name, "optimizer.name": self.optimizer.name}
        return self._named(*(migration.first_value(key, value) for key, value in choices.items()))

    def _named(self, *choices: str) -> str:
        hashed = json.dumps(migration.in_first_names(identity(self)), sort_keys=True)
        digest = hashlib.sha256(hashed.encode()).hexdigest()[:8]
        return "-".join((*choices, self.data.label, self.backend.label, f"s{self.seed}", digest))


def _choices(group: str) -> list[Any]:
    """The classes of a group's choices."""
    return schema.sections(Config.model_fields[group].annotation)


def _listed(choices: Sequence[type[Choice]]) -> str:
    return ", ".join(name for choice in choices for name in schema.names(choice))


def composed(*overrides: str) -> Config:
    """The config that these arguments of train.py make."""
    given = arguments.understood(overrides, vocabulary())
    with config_loader() as loader:
        studies.check(loader, PRIMARY, given)
        return from_hydra(compose(PRIMARY, given))


@contextlib.contextmanager
def config_loader() -> Iterator[ConfigLoader]:
    """Hydra's, for conf/: that of the program that runs under Hydra, or one for the `with` block."""
    if GlobalHydra.instance().is_initialized():
        yield GlobalHydra.instance().config_loader()
        return
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def from_hydra(composed: DictConfig) -> Config:
    """Validate a composed config. Raises UserError that lists every mistake at once."""
    config = _validated(OmegaConf.to_container(composed, resolve=True, throw_on_missing=True))
    if useless := list(_without_effect(config)):
        raise UserError("these settings would have no effect:\n" + "\n".join(f"  {line}" for line in useless))
    return config.model_copy(update={"aug": _named_by_its_steps(config.aug).pinned()})


def _without_effect(config: Config) -> Iterator[str]:
    """What is asked for and would be ignored. (Folders may hold it: what they mean is known.)"""
    if config.evaluation.tta == "none" and config.evaluation.tta_share != 1:
        yield (
            f"evaluation.tta_share={config.evaluation.tta_share}: with evaluation.tta=none, there is one view of every "
            f"image; choose evaluation.tta=flip or flip_shift, or leave out the share."
        )
    for part, share in config.freeze.items():
        if whole := next((p for p, s in config.freeze.items() if part.startswith(f"{p}.") and s <= share), None):
            yield f"freeze.{part}={share}: {whole}, which it is a part of, is frozen from {config.freeze[whole]} on."
    for choice in (config.data, config.optimizer):
        if note := choice.without_effect():
            yield note


def advice(config: Config) -> list[str]:
    """What was chosen that makes no sense for these images. It is done all the same."""
    if config.data.mirrored_alike:
        return []
    said = f"data={config.data.name}: mirrored images are not of the same class"
    aug = config.aug
    flips = [f"{said}, but aug={aug.name} mirrors; '~aug.{step}' leaves that out." for step in aug.mirroring]
    tta = config.evaluation.tta
    return flips + ([f"{said}, but evaluation.tta={tta} tests on mirrored images."] if tta != "none" else [])


def check_single(config: Config, hydra_overrides: Sequence[str]) -> None:
    """Refuse in a single run what only a sweep reads. Raises UserError."""
    given = [override for override in hydra_overrides if re.match(r"\+*hydra[./](launcher|sweeper)\b", override)]
    given += [f"sweep.{key}={config_errors.as_yaml(value)}" for key, value in identity(config.sweep).items()]
    if given:
        raise UserError(f"{', '.join(given)}: only a sweep reads this. Add -m to the command, or leave it out.")


def _named_by_its_steps(aug: Augmentation) -> Augmentation:
    """`basic+cutout-flip`: a mixture with other steps than the file of conf/aug has whose name it bears."""
    steps = _steps_of_choice(aug.name)
    if steps is None:
        return aug  # a name of the user's own
    added = "".join(f"+{step}" for step in aug.steps if step not in steps)
    removed = "".join(f"-{step}" for step in steps if step not in aug.steps)
    return aug.model_copy(update={"name": f"{aug.name}{added}{removed}"})


@functools.cache
def _steps_of_choice(name: str) -> list[str] | None:
    path = CONF / "aug" / f"{name}.yaml"
    if not path.exists():
        return None
    return Augmentation.model_validate(OmegaConf.to_container(OmegaConf.load(path))).steps


def _validated(values: Any) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        lines = config_errors.explained(error.errors(), values, Config, vocabulary().groups)
        raise UserError("the config is not valid:\n" + "\n".join(f"  {line}" for line in lines)) from None


def to_yaml(config: Config) -> str:
    """The config as YAML that `from_yaml` reads back to an equal one."""
    return OmegaConf.to_yaml(OmegaConf.create({"schema": migration.SCHEMA, **config.model_dump()}))


def from_yaml(text: str) -> Config:
    """The config that `to_yaml` wrote, in this version of the program or an earlier one. Raises UserError."""
    try:
        # Not resolved: an interpolation in a file from elsewhere could read this user's environment.
        raw = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        raise UserError(f"this is not the config of a run: {error}") from None
    if not isinstance(raw, dict):
        raise UserError("this is not the config of a run: it is no mapping of keys to values.")
    return _validated(upgraded(raw))


def upgraded(raw: dict[Any, Any]) -> dict[Any, Any]:
    """What config.yaml holds, in the keys of this version. Raises UserError for a config of a later version."""
    return migration.upgraded(raw, Config)


def dotted_keys() -> list[str]:
    """Every key of the schema, groups included: `seed`, `optimizer`, `optimizer.lr`, `aug.cutout.size`, …"""
    return sorted(schema.fields(Config))


def open_sections() -> list[str]:
    """The keys of the schema below which any key may stand: `freeze`, …"""
    return [key for key, field in schema.fields(Config).items() if typing.get_origin(field.annotation) is dict]


def _housekeeping() -> Iterator[str]:
    """The dotted keys that say where a run is kept and how it is fed, not what it is."""
    for key, field in schema.fields(Config).items():
        if (aside := schema.mark(field, Aside)) and not aside.choice:
            yield key


@functools.cache
def vocabulary() -> Vocabulary:
    """What the arguments of train.py may speak of."""
    groups = {
        group.name: sorted(path.stem for path in group.glob("*.yaml")) for group in CONF.iterdir() if group.is_dir()
    }
    texts = frozenset(key for key, field in schema.fields(Config).items() if schema.is_text(field.annotation))
    return Vocabulary(texts, frozenset(open_sections()), {name: c for name, c in groups.items() if c})


def keys_of(values: Any) -> dict[str, bool]:
    """The keys that a config with these choices can have, by dotted name, and whether this one has them."""
    return schema.keys_of(values, Config)


def owners(key: str) -> list[str]:
    """The choices of a group that have the key: `optimizer.beta1` -> ["adamw"]."""
    group, _, rest = key.partition(".")
    having = [s for s in _choices(group) if rest.partition(".")[0] in s.model_fields]
    return [name for section in having for name in schema.names(section)]


HOUSEKEEPING_KEYS = ("schema", *_housekeeping())  # two runs that differ only in these are the same experiment
