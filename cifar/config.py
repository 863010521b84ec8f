"""The typed schema of a run. YAML holds the defaults; this says which keys exist and which values make sense."""

import contextlib
import functools
import hashlib
import json
import re
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

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
from cifar.places import CONF, PRIMARY
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

# One machine's auto is another's cpu, and a name may not depend on the machine.
Device = Annotated[Literal["auto", "cpu", "gpu"], Neutral("auto", ("cpu",))]
Workers = Annotated[Literal["auto"] | Annotated[int, Field(ge=0, le=256)], HOUSEKEEPING]


class Lightning(Section):
    """PyTorch through PyTorch Lightning."""

    name: Literal["lightning"]
    device: Device
    """Hardware to train on. `auto`: a GPU if there is one, else the CPU."""
    devices: Annotated[PositiveInt, Neutral(1)]
    """Number of devices for data-parallel training, one process each. The batch is divided among them."""
    workers: Workers
    """Processes that prepare batches; 0: the training process. `auto`: 0 on the CPU, whose cores they would take, up to
    8 with a GPU. Not used if the GPU augments."""
    compile: Annotated[bool, Neutral(False)]
    """Compile the network with `torch.compile`: training starts later and steps may be faster."""
    profile: Annotated[bool, HOUSEKEEPING]
    """Measure where the time goes and write it to `profile/` in the run folder. A finished run is profiled with
    `on_existing=rerun`."""

    @property
    def label(self) -> str:
        return self.name


class Keras(Section):
    """Keras 3 on one of its engines."""

    name: Literal["keras"]
    engine: Literal["tensorflow", "jax", "torch"]
    """Framework that computes for Keras. `torch` supports `model=cnn` only."""
    device: Device
    """Hardware to train on. `auto`: a GPU if the engine finds one, else the CPU."""
    workers: Workers
    """Threads that prepare batches; 0: the main thread. `auto`: 1 on the CPU, up to 8 with a GPU."""
    compile: Annotated[Literal["auto"] | bool, Neutral("auto")]
    """Compile the training step, with XLA (TensorFlow, JAX) or `torch.compile`. `auto`: JAX always, TensorFlow on a
    GPU."""
    profile: Annotated[bool, HOUSEKEEPING]
    """Measure where the time goes and write it to `profile/` in the run folder. A finished run is profiled with
    `on_existing=rerun`."""

    @property
    def label(self) -> str:
        return self.name if self.engine == "tensorflow" else f"{self.name}_{self.engine}"


Backend = Annotated[Lightning | Keras, Field(discriminator="name")]


class Evaluation(Section):
    """When the network is validated, and how it is tested."""

    validate_every: Annotated[PositiveInt, Neutral(1)]
    """Epochs from one validation to the next. The last epoch is always validated. Validation accuracy selects the
    checkpoint that is tested."""
    tta: Annotated[Literal["none", "flip", "flip_shift"], TESTING]
    """Test-time augmentation: the views of each test image whose logits are averaged. `none`: 1 view, the image itself;
    `flip`: 2, with its mirror image; `flip_shift`: 6, also shifted by one pixel. A finished run is tested again with a
    new value, not trained again."""
    tta_share: Annotated[float, Field(gt=0, le=1), TESTING]
    """Fraction of the test images that get several views: those the network is least sure of. Needs a `tta`."""

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

    retry_failed: Annotated[bool, Neutral(True)]
    """Whether jobs that failed earlier are tried again."""
    fail_fast: Annotated[bool, Neutral(False)]
    """Whether the first failure stops the sweep."""
    time_limit: Annotated[PositiveFloat | None, Neutral(None)]
    """Seconds after which a job is stopped and counts as failed. `null`: no limit."""


class Config(Section):
    """One run, complete."""

    model: Model
    """The network. Each brings its own recipe: optimizer, schedule and more."""
    aug: Augmentation
    """The augmentation policy: what happens to each training image before the network sees it."""
    optimizer: Optimizer
    """The update rule, with the same meaning in both frameworks."""
    schedule: Schedule
    """The learning rate over the training. Every schedule starts with a linear warm-up."""
    backend: Backend
    """The framework that trains, and how it uses the hardware."""
    data: Data
    """The images, and how they are split into training, validation and test images."""
    tracker: Annotated[Tracker, HOUSEKEEPING]
    """Where runs are shown besides the run folder."""
    seed: Seed
    """Seed of initial weights, order of the images, augmentation and dropout."""
    epochs: Annotated[int, Field(gt=0, le=100_000)]
    """Passes over the training images."""
    batch_size: PositiveInt
    """Images per step, over all devices together."""
    precision: Literal["auto", "fp32", "bf16", "fp16", "fp64"]
    """Number format of the network's arithmetic. `auto`: bf16 where the hardware is fast in it, else fp32. The run says
    which it chose. fp16 needs `backend=lightning`; fp64 is for proofs."""
    label_smoothing: Annotated[BelowOne, Neutral(0.0)]
    """Fraction of each training target that is spread evenly over all classes."""
    clip_norm: Annotated[PositiveFloat | None, Neutral(None)]
    """Largest L2 norm of the whole gradient; a larger gradient is scaled down to it. `null`: no clipping."""
    ema_decay: Annotated[InsideOne | None, Neutral(None)]
    """Decay per step of an exponential moving average of the weights, which is evaluated in their place. Step n decays
    by min(ema_decay, (1 + n) / (10 + n)). `null`: no averaging."""
    freeze: Annotated[dict[str, Fraction], Neutral({})]
    """Fraction of the epochs for which a part of the network is trained, by the part's name: `{layer1: 0.5}` freezes
    `layer1` after half of the epochs. Its normalization statistics keep being updated."""
    evaluation: Evaluation
    """When the network is validated, and how it is tested."""
    study: Annotated[FileName, HOUSEKEEPING]
    """Name of the study that the run belongs to: its folder is in `runs_dir/study`."""
    runs_dir: Annotated[str, Field(min_length=1), HOUSEKEEPING]
    """Folder for all studies."""
    on_existing: Annotated[Literal["resume", "skip", "rerun", "fail"], HOUSEKEEPING]
    """What happens if this config was run before. `resume`: an interrupted run continues, a finished run is shown;
    `skip`: leave it alone; `rerun`: start over; `fail`: stop with an error."""
    sweep: Annotated[Sweep, HOUSEKEEPING]
    """How a sweep treats its jobs. A single run ignores it."""

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
            if isinstance(choice, Choice) and (reason := choice.lacks(backend)):
                raise ValueError(reason)
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

    def pinned(self) -> Self:
        """With the digests of the user's own code. Raises UserError."""
        pinned = {name: choice.pinned() for name, choice in self._choices()}
        return self.model_copy(update={**pinned, "aug": self.aug.pinned()})

    def _choices(self) -> list[tuple[str, Choice]]:
        return [(name, value) for name, value in self if isinstance(value, Choice)]

    def validates(self, epoch: int) -> bool:
        """Whether validation follows on an epoch (0-based): always on the last."""
        return (epoch + 1) % self.evaluation.validate_every == 0 or epoch + 1 == self.epochs

    @property
    def run_name(self) -> str:
        """`resnet18-randaug-sgd-cifar10-keras-s0-1a2b3c4d`: readable choices, then a hash of every choice that can
        change the result."""
        return self._named(self.model.label, self.aug.name, self.optimizer.label)

    @property
    def first_run_name(self) -> str:
        """The run's name in the first version of the program. The hash is the same, a choice may have been renamed."""
        choices = {"model.name": self.model.label, "aug.name": self.aug.name, "optimizer.name": self.optimizer.label}
        return self._named(*(migration.first_value(key, value) for key, value in choices.items()))

    def _named(self, *choices: str) -> str:
        used = self.model_copy(update={name: choice.used_by(self.backend.name) for name, choice in self._choices()})
        hashed = json.dumps(migration.in_first_names(identity(used)), sort_keys=True)
        digest = hashlib.sha256(hashed.encode()).hexdigest()[:8]
        return "-".join((*choices, self.data.label, self.backend.label, f"s{self.seed}", digest))


def _choices(group: str) -> list[Any]:
    """The classes of a group's choices."""
    return schema.sections(Config.model_fields[group].annotation)


def _listed(choices: Sequence[type[Choice]]) -> str:
    return ", ".join(name for choice in choices for name in schema.names(choice))


def composed(*overrides: str, config_dir: Path | None = None) -> Config:
    """The config that these arguments of train.py make. `config_dir`: a folder with choices of the user's own."""
    given = arguments.understood(overrides, vocabulary())
    if config_dir is not None:
        given.append(f"hydra.searchpath=[{arguments.quoted(f'file://{config_dir.resolve()}')}]")
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
    return config.model_copy(update={"aug": _named_by_its_steps(config.aug)}).pinned()


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
