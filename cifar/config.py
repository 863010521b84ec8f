"""The typed schema of a run. YAML holds the defaults; this says which keys exist and which values make sense."""

import contextlib
import copy
import functools
import hashlib
import json
import re
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from cifar import arguments, hints, studies
from cifar.arguments import Vocabulary
from cifar.errors import UserError

CONF = Path(__file__).resolve().parents[1] / "conf"
PRIMARY = "config"  # conf/config.yaml
IMAGE_SIZE = 32  # pixels a side, of every data set here
TRAINING_IMAGES = {"cifar10": 50_000, "cifar100": 50_000, "digits": 1437}
SPEEDNET_KEEPS = 0.6  # of a SpeedNet's running statistics, a step: there are too few steps for the usual 0.9
VIT_WIDTHS = {"vit_tiny": (192, 3), "vit_small": (384, 6)}  # width, heads

SCHEMA = 2  # of config.yaml. Version 1 had no number
RENAMED: tuple[tuple[int, str, str], ...] = ()  # (version since which, old key, new key), dotted

Fraction = Annotated[float, Field(ge=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
InsideOne = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


@dataclass(frozen=True)
class Neutral:
    """Marks a field: with `value`, or one of `others`, the result is what it is without the field.

    The identity of a run leaves the field out then, and a folder that is older than the field means `value`. Every
    field that joins an existing section needs this mark, with what the program did before: without it, every finished
    run gets another name."""

    value: Any
    others: tuple[Any, ...] = ()

    def covers(self, value: Any) -> bool:
        """Whether the field is off (0 is not False)."""
        return any(type(value) is type(off) and value == off for off in (self.value, *self.others))


@dataclass(frozen=True)
class Aside:
    """Marks a field that the identity of a run leaves out, whatever its value."""

    choice: bool  # whether runs that differ in it count as different in a comparison


HOUSEKEEPING = Aside(choice=False)  # where a run is kept, who watches it, how fast it is fed
TESTING = Aside(choice=True)  # how a trained network is tested: no reason to train it again
LABEL = Aside(choice=True)  # what something is called; what it is, other fields say


class Section(BaseModel):
    """A part of the config: frozen, no unknown keys, no silent conversions, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _one_zero(cls, value: Any) -> Any:
        return _without_negative_zeros(value)


# ------------------------------------------------------------------------------------------------ model
class Network(Section):
    """What every network's section says."""

    frameworks: ClassVar[tuple[str, ...]] = ("lightning",)  # the backends that can build it


class Cnn(Network):
    """Six 3x3 convolutions with ELU, batch norm and dropout."""

    frameworks = ("lightning", "keras")

    name: Literal["cnn"]
    width: PositiveInt = Field(description="channels of the first pair of convolutions")
    dropout: Annotated[list[BelowOne], Field(min_length=3, max_length=3)] = Field(description="after each pair")

    @property
    def label(self) -> str:
        return self.name

    def parameters(self, classes: int) -> int:
        """How many there are to train."""
        kernels, before = 0, 3
        for width in (self.width, 2 * self.width, 4 * self.width):
            kernels += 9 * before * width + 9 * width * width + 2 * 3 * width  # with a bias and a norm each
            before = width
        return kernels + (16 * before + 1) * classes


class ResNet(Network):
    """timm's residual networks with a stem for small images."""

    frameworks = ("lightning", "keras")

    name: Literal["resnet18", "resnet50", "wrn16_4"]
    dropout: Annotated[BelowOne, Neutral(0.0)] = Field(description="before the classifier")
    drop_path: Annotated[BelowOne, Neutral(0.0)] = Field(description="largest probability of skipping a block")

    @property
    def label(self) -> str:
        return self.name


class VisionTransformer(Network):
    """timm's vision transformers."""

    frameworks = ("lightning", "keras")

    name: Literal["vit_tiny", "vit_small"]
    patch_size: PositiveInt = Field(description="pixels a side of a token")
    dropout: Annotated[BelowOne, Neutral(0.0)] = Field(
        description="in the embedding, the blocks and before the classifier"
    )
    drop_path: Annotated[BelowOne, Neutral(0.0)] = Field(description="largest probability of skipping a block")

    @model_validator(mode="after")
    def _patches_cover_the_image(self) -> "VisionTransformer":
        if IMAGE_SIZE % self.patch_size:
            raise ValueError(f"patch_size {self.patch_size} must divide the image's {IMAGE_SIZE} pixels")
        return self

    @property
    def label(self) -> str:
        return self.name


class SpeedNet(Network):
    """Three stages of convolutions behind a whitening layer, made to be trained in a few passes (arXiv:2404.00498)."""

    frameworks = ("lightning", "keras")

    name: Literal["speednet"]
    widths: Annotated[list[PositiveInt], Field(min_length=3, max_length=3)] = Field(description="channels, by stage")
    depth: Literal[2, 3] = Field(description="convolutions of each stage; with 3, the last two have a shortcut")

    @property
    def label(self) -> str:
        return self.name

    def parameters(self, classes: int) -> int:
        """How many there are to train."""
        before = kernels = 24  # filters of the whitening layer, of which the biases are trained
        for width in self.widths:
            kernels += 9 * before * width + (self.depth - 1) * 9 * width * width + self.depth * width
            before = width
        return kernels + before * classes


class Timm(Network):
    """Any network of timm."""

    name: Literal["timm"]
    architecture: Annotated[str, Field(min_length=1)] = Field(description="a name from timm.list_models()")
    arguments: Annotated[dict[str, Any], Neutral({})] = Field(description="further arguments of timm.create_model")

    @property
    def label(self) -> str:
        return re.sub(r"[^A-Za-z0-9._-]", "_", self.architecture)


Model = Annotated[Cnn | ResNet | VisionTransformer | SpeedNet | Timm, Field(discriminator="name")]


# ------------------------------------------------------------------------------------------------ aug
class Crop(Section):
    """Pad, then cut out a window of the old size at a random place."""

    padding: Annotated[int, Field(ge=1, lt=IMAGE_SIZE)] = Field(description="pixels on every side")
    border: Annotated[Literal["black", "reflect"], Neutral("black")] = Field(description="what is padded with")


class Flip(Section):
    """Mirror left to right."""

    probability: Fraction
    alternate: Annotated[bool, Neutral(False)] = Field(
        description="draw once for each image; then turn it in every epoch"
    )


class RandAugment(Section):
    """`operations` random operations of one strength (arXiv:1909.13719)."""

    operations: PositiveInt
    magnitude: Annotated[int, Field(ge=0, le=30)] = Field(description="0 (weakest) to 30")


class TrivialAugment(Section):
    """One random operation of random strength (arXiv:2103.10158)."""


class Cutout(Section):
    """A square of the mean colour, its centre anywhere in the image (arXiv:1708.04552)."""

    size: Annotated[int, Field(ge=1, le=2 * IMAGE_SIZE)] = Field(description="pixels a side")


class Resize(Section):
    """The first epochs see smaller images, which cost less (progressive resizing; arXiv:2104.00298)."""

    sizes: Annotated[list[Annotated[int, Field(ge=IMAGE_SIZE // 2, le=IMAGE_SIZE)]], Field(min_length=1)] = Field(
        description="pixels a side; each has an equal share of the epochs"
    )


class Mixup(Section):
    """Each image is blended with a partner, by a share drawn from Beta(alpha, alpha) (arXiv:1710.09412)."""

    alpha: PositiveFloat


class CutMix(Section):
    """A box of each image comes from a partner; its share is drawn from Beta(alpha, alpha) (arXiv:1905.04899)."""

    alpha: PositiveFloat
    probability: Annotated[float, Field(gt=0, le=1), Neutral(1.0)] = Field(
        1.0, description="of mixing a batch; with mixup, of mixing a batch that is CutMix's"
    )


class Augmentation(Section):
    """Steps, applied in this order. A step that is not there is not done."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"), LABEL] = Field(
        description="what tables and folders call this mixture"
    )
    crop: Annotated[Crop | None, Neutral(None)] = None
    flip: Annotated[Flip | None, Neutral(None)] = None
    randaug: Annotated[RandAugment | None, Neutral(None)] = None
    trivialaug: Annotated[TrivialAugment | None, Neutral(None)] = None
    albumentations: Annotated[list[dict[str, Any]] | None, Neutral(None)] = Field(
        None, description="transforms as {Name: {argument: value}}, one mapping each"
    )
    cutout: Annotated[Cutout | None, Neutral(None)] = None
    resize: Annotated[Resize | None, Neutral(None)] = None
    mixup: Annotated[Mixup | None, Neutral(None)] = None
    cutmix: Annotated[CutMix | None, Neutral(None)] = None

    @property
    def steps(self) -> list[str]:
        """The names of its steps."""
        return [name for name, value in self if name != "name" and value is not None]

    @field_validator("albumentations", "resize")
    @classmethod
    def _what_does_nothing_is_not_there(cls, step: Any) -> Any:
        nothing = step == [] or (isinstance(step, Resize) and set(step.sizes) == {IMAGE_SIZE})
        return None if nothing else step


# ------------------------------------------------------------------------------------------------ optimizer
class Sgd(Section):
    """v = momentum * v + g; w -= lr * v, where g includes weight_decay * w."""

    name: Literal["sgd"]
    lr: PositiveFloat = Field(description="the highest learning rate of the schedule")
    momentum: BelowOne
    nesterov: Annotated[bool, Neutral(False)]
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)]

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "Sgd":
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=true needs a momentum above 0")
        return self


class AdamW(Section):
    """Adam with decoupled weight decay (arXiv:1711.05101)."""

    name: Literal["adamw"]
    lr: PositiveFloat = Field(description="the highest learning rate of the schedule")
    beta1: BelowOne
    beta2: BelowOne
    epsilon: PositiveFloat
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)]


class Muon(Section):
    """Orthogonalised momentum for matrices, AdamW for the rest (https://kellerjordan.github.io/posts/muon/)."""

    name: Literal["muon"]
    lr: PositiveFloat = Field(description="the highest learning rate of the schedule")
    momentum: BelowOne
    nesterov: Annotated[bool, Neutral(False)]
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)]
    adamw_lr_ratio: PositiveFloat = Field(description="learning rate of what is no matrix / lr")


class MuonSgd(Section):
    """Orthogonalised momentum for matrices that are kept at one norm, SGD with rates of its own for the rest
    (KellerJordan/cifar10-airbench, airbench94_muon.py)."""

    name: Literal["muon_sgd"]
    lr: PositiveFloat = Field(description="highest learning rate of the matrices")
    momentum: BelowOne = Field(description="of the matrices")
    bias_lr: PositiveFloat = Field(description="highest learning rate of the biases and norms")
    head_lr: PositiveFloat = Field(description="highest learning rate of the classifier's weights")
    sgd_momentum: BelowOne = Field(description="of biases, norms and classifier")
    nesterov: Annotated[bool, Neutral(False)]
    weight_decay: Annotated[NonNegativeFloat, Neutral(0.0)] = Field(
        description="of the classifier's weights; the matrices' norm is fixed"
    )


Optimizer = Annotated[Sgd | AdamW | Muon | MuonSgd, Field(discriminator="name")]


# ------------------------------------------------------------------------------------------------ schedule
class Cosine(Section):
    """Half a cosine from the highest learning rate down to final_ratio of it."""

    name: Literal["cosine"]
    warmup: Annotated[BelowOne, Neutral(0.0)] = Field(description="fraction of all steps")
    final_ratio: Fraction


class Linear(Section):
    """A straight line from the highest learning rate down to final_ratio of it."""

    name: Literal["linear"]
    warmup: Annotated[BelowOne, Neutral(0.0)] = Field(description="fraction of all steps")
    final_ratio: Fraction


class Step(Section):
    """Multiplied by `factor` at each milestone."""

    name: Literal["step"]
    warmup: Annotated[BelowOne, Neutral(0.0)] = Field(description="fraction of all steps")
    milestones: Annotated[list[InsideOne], Field(min_length=1)] = Field(description="fractions of all steps")
    factor: InsideOne

    @field_validator("milestones")
    @classmethod
    def _in_order(cls, milestones: list[float]) -> list[float]:
        return sorted(milestones)


class Constant(Section):
    """The same learning rate after the warm-up."""

    name: Literal["constant"]
    warmup: Annotated[BelowOne, Neutral(0.0)] = Field(description="fraction of all steps")


Schedule = Annotated[Cosine | Linear | Step | Constant, Field(discriminator="name")]


# ------------------------------------------------------------------------------------------------ the rest
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


class Data(Section):
    """Which images, and how they are divided."""

    name: Literal["cifar10", "cifar100", "digits"]
    root: Annotated[str | None, HOUSEKEEPING] = Field(description="folder of the downloaded data; digits has none")
    val_size: PositiveInt = Field(description="images taken from the training images to choose the checkpoint by")
    train_size: Annotated[PositiveInt | None, Neutral(None)] = Field(
        description="stratified subset of the rest; null: all of it"
    )
    split_seed: Seed

    @field_validator("train_size")
    @classmethod
    def _all_is_null(cls, train_size: int | None, info: ValidationInfo) -> int | None:
        if not info.data.keys() >= {"name", "val_size"}:
            return train_size  # a mistake there is reported
        return None if train_size == TRAINING_IMAGES[info.data["name"]] - info.data["val_size"] else train_size

    @model_validator(mode="after")
    def _downloaded_data_needs_a_folder(self) -> "Data":
        if self.name != "digits" and not self.root:
            raise ValueError(f"{self.name} needs data.root, the folder that holds it (or set CIFAR_DATA_DIR)")
        return self


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


def _named_as_wandb_allows(project: str) -> str:
    if found := sorted(set(project) & set("/\\#?%:")):
        raise ValueError(f"{project!r}: W&B allows no {' '.join(found)} in a project's name")
    return project


class Wandb(Section):
    """Weights & Biases."""

    name: Literal["wandb"]
    project: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_named_as_wandb_allows)]
    entity: str | None
    mode: Literal["auto", "online", "offline"]
    finish_timeout: Annotated[PositiveFloat, Neutral(60.0)] = Field(
        description="seconds to wait for uploads at the end of a run"
    )


class NoTracker(Section):
    """The run folder only."""

    name: Literal["none"]


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
    tracker: Annotated[Wandb | NoTracker, Field(discriminator="name"), HOUSEKEEPING]
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
    def _the_backend_can_build_the_network(self) -> "Config":
        if self.backend.name not in self.model.frameworks:
            raise ValueError(
                f"model={self.model.name}: backend={self.backend.name} cannot build it; use "
                f"backend={' or '.join(self.model.frameworks)}, or with backend={self.backend.name} one of "
                f"{', '.join(networks(self.backend.name))}"
            )
        return self

    @model_validator(mode="after")
    def _keras_can_do_it(self) -> "Config":
        if isinstance(self.backend, Keras):
            if self.backend.engine == "torch" and not isinstance(self.model, Cnn):
                raise ValueError(
                    f"backend.engine=torch: PyTorch takes no layer with a dot in its name, as model={self.model.name} "
                    f"has them; use backend.engine=tensorflow or jax, or model=cnn"
                )
            if self.precision == "fp16":
                raise ValueError("precision=fp16: only backend=lightning scales the loss for it; Keras has bf16")
            if self.precision == "fp64" and self.backend.engine != "tensorflow":
                raise ValueError(
                    f"precision=fp64: on {self.backend.engine}, Keras computes batch norms in float32; use "
                    f"backend.engine=tensorflow or backend=lightning"
                )
        return self

    @model_validator(mode="after")
    def _the_network_takes_smaller_images(self) -> "Config":
        if self.aug.resize and isinstance(self.backend, Keras):
            raise ValueError(
                "aug.resize: Keras builds a network for one size of image; use backend=lightning, or "
                "another aug (aug=alternating is aug=growing without it)"
            )
        if self.aug.resize and not isinstance(self.model, ResNet | SpeedNet):
            raise ValueError(
                f"aug.resize: model={self.model.name} is not known to take smaller images; use one of resnet18, "
                f"resnet50, wrn16_4, speednet, or another aug"
            )
        return self

    def validates(self, epoch: int) -> bool:
        """Whether validation follows on an epoch (0-based): always on the last."""
        return (epoch + 1) % self.evaluation.validate_every == 0 or epoch + 1 == self.epochs

    @property
    def run_name(self) -> str:
        """`resnet18-randaug-sgd-cifar10-keras-s0-1a2b3c4d`: readable choices, then a hash of every choice that can
        change the result."""
        digest = hashlib.sha256(json.dumps(identity(self), sort_keys=True).encode()).hexdigest()[:8]
        choices = (self.model.label, self.aug.name, self.optimizer.name, self.data.name, self.backend.label)
        return "-".join((*choices, f"s{self.seed}", digest))


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
        raise UserError("the config asks for what has no effect:\n" + "\n".join(f"  {line}" for line in useless))
    return config.model_copy(update={"aug": _named_by_its_steps(config.aug)})


def _without_effect(config: Config) -> Iterator[str]:
    """What is asked for and would be ignored. (Folders may hold it: what they mean is known.)"""
    if config.evaluation.tta == "none" and config.evaluation.tta_share != 1:
        yield (
            f"evaluation.tta_share={config.evaluation.tta_share}: with evaluation.tta=none, there is one view of every "
            f"image; choose evaluation.tta=flip or flip_shift, or leave out the share."
        )
    if config.data.name == "digits" and config.data.root is not None:
        yield f"data.root={config.data.root}: data=digits comes with scikit-learn, not from a folder; leave it out."
    for part, share in config.freeze.items():
        if whole := next((p for p, s in config.freeze.items() if part.startswith(f"{p}.") and s <= share), None):
            yield f"freeze.{part}={share}: {whole}, which it is a part of, is frozen from {config.freeze[whole]} on."
    match config.optimizer:
        case MuonSgd(nesterov=True, momentum=0, sgd_momentum=0):
            yield "optimizer.nesterov=true: it needs a momentum or sgd_momentum above 0."


def check_single(config: Config, hydra_overrides: Sequence[str]) -> None:
    """Refuse in a single run what only a sweep reads. Raises UserError."""
    given = [override for override in hydra_overrides if re.match(r"\+*hydra[./](launcher|sweeper)\b", override)]
    given += [f"sweep.{key}={_as_yaml(value)}" for key, value in identity(config.sweep).items()]
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
        lines = [f"  {_explain(e, values)}" for e in error.errors()]
        raise UserError("the config is not valid:\n" + "\n".join(lines)) from None


def to_yaml(config: Config) -> str:
    """The config as YAML that `from_yaml` reads back to an equal one."""
    return OmegaConf.to_yaml(OmegaConf.create({"schema": SCHEMA, **config.model_dump()}))


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
    """A config as it stands in config.yaml, in the keys of this version, and with what later joined the schema.

    Raises UserError for a config of a later version."""
    version = raw.get("schema", 1)
    if not isinstance(version, int) or version > SCHEMA:
        raise UserError(
            f"this config was written by a later version of the program (schema {version}; this one reads up to "
            f"{SCHEMA}). Update the program."
        )
    config = {key: value for key, value in raw.items() if key != "schema"}
    for since, old, new in RENAMED:
        if version < since:
            config = _renamed(config, old.split("."), new.split("."))
    return _completed(Config, config)


def _renamed(config: dict[Any, Any], old: list[str], new: list[str]) -> dict[Any, Any]:
    config = copy.deepcopy(config)
    *sections, name = old
    section = functools.reduce(lambda part, key: part.get(key, {}), sections, config)
    if name in section:
        value = section.pop(name)
        functools.reduce(lambda part, key: part.setdefault(key, {}), new[:-1], config)[new[-1]] = value
    return config


def _completed(section: type[BaseModel], raw: dict[Any, Any]) -> dict[Any, Any]:
    """`raw` with the neutral value of every key that it lacks."""
    completed = dict(raw)
    for name, field in section.model_fields.items():
        parts = [part for part in _sections(field.annotation) if _is_chosen(part, raw.get(name, {}))]
        if name not in raw and (neutral := _mark(field, Neutral)):
            completed[name] = neutral.value
        elif len(parts) == 1 and isinstance(raw.get(name, {}), dict) and (name in raw or field.is_required()):
            completed[name] = _completed(parts[0], raw.get(name, {}))
    return completed


def _is_chosen(section: type[BaseModel], raw: Any) -> bool:
    """Whether `raw` is of this kind, where its key `name` says so."""
    names = typing.get_args(section.model_fields["name"].annotation) if "name" in section.model_fields else ()
    return not names or (isinstance(raw, dict) and raw.get("name") in names)


def identity(section: Section) -> dict[str, Any]:
    """What can change a run's result, and nothing else: equal for two configs whose results are the same."""
    found: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        neutral = _mark(field, Neutral)
        if _mark(field, Aside) or (neutral and neutral.covers(value)):
            continue
        found[name] = identity(value) if isinstance(value, Section) else value
        if found[name] == {} and neutral is None:
            del found[name]  # a section whose options are all off, which may be younger than other runs
    return found


Mark = typing.TypeVar("Mark", Neutral, Aside)


def _mark(field: FieldInfo, kind: type[Mark]) -> Mark | None:
    return next((mark for mark in field.metadata if isinstance(mark, kind)), None)


def _without_negative_zeros(value: Any) -> Any:
    """-0.0 and 0.0 are equal, but are not written alike."""
    match value:
        case float():
            return value + 0.0
        case list():
            return [_without_negative_zeros(part) for part in value]
        case dict():
            return {key: _without_negative_zeros(part) for key, part in value.items()}
    return value


def flat(section: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested mappings, by dotted keys."""
    for key, value in section.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def dotted_keys() -> list[str]:
    """Every key of the schema, groups included: `seed`, `optimizer`, `optimizer.lr`, `aug.cutout.size`, …"""
    return sorted(_keys(Config, ""))


def open_sections() -> list[str]:
    """The keys of the schema below which any key may stand: `freeze`, …"""
    return [key for key, annotation in _keys(Config, "").items() if typing.get_origin(annotation) is dict]


def _asides() -> Iterator[str]:
    """The keys that are no choices, dotted."""
    for key, field in _fields(Config, "").items():
        if (aside := _mark(field, Aside)) and not aside.choice:
            yield key


@functools.cache
def vocabulary() -> Vocabulary:
    """What the arguments of train.py may speak of."""
    groups = {
        group.name: sorted(path.stem for path in group.glob("*.yaml")) for group in CONF.iterdir() if group.is_dir()
    }
    texts = frozenset(key for key, annotation in _keys(Config, "").items() if _is_text(annotation))
    return Vocabulary(texts, frozenset(open_sections()), {name: c for name, c in groups.items() if c})


def keys_of(values: Any, section: type[BaseModel] = Config, prefix: str = "") -> dict[str, bool]:
    """The keys that a config with these choices can have, by dotted name, and whether this one has them."""
    found: dict[str, bool] = {}
    given = values if isinstance(values, dict) else {}
    for name, field in section.model_fields.items():
        found[prefix + name] = name in given
        below = given.get(name)
        parts = _sections(field.annotation)
        if len(parts) > 1:
            tag = below.get("name") if isinstance(below, dict) else None
            parts = [part for part in parts if tag in typing.get_args(part.model_fields["name"].annotation)]
        for part in parts:
            found |= keys_of(below, part, f"{prefix}{name}.")
    return found


def networks(backend: str) -> list[str]:
    """The names of the networks that a backend can build."""
    sections = _sections(Config.model_fields["model"].annotation)
    kinds = [s for s in sections if issubclass(s, Network) and backend in s.frameworks]
    return [name for kind in kinds for name in typing.get_args(kind.model_fields["name"].annotation)]


def owners(key: str) -> list[str]:
    """The choices of a group that have the key: `optimizer.beta1` -> ["adamw"]."""
    group, _, rest = key.partition(".")
    having = [s for s in _sections(Config.model_fields[group].annotation) if rest.partition(".")[0] in s.model_fields]
    return [name for s in having for name in typing.get_args(s.model_fields["name"].annotation)]


def _keys(section: type[BaseModel], prefix: str) -> dict[str, Any]:
    """Dotted keys, and the types of what stands there."""
    return {key: field.annotation for key, field in _fields(section, prefix).items()}


def _fields(section: type[BaseModel], prefix: str) -> dict[str, FieldInfo]:
    """The fields of a section and of those in it, by dotted keys."""
    found: dict[str, FieldInfo] = {}
    for name, field in section.model_fields.items():
        found[prefix + name] = field
        for part in _sections(field.annotation):
            found |= _fields(part, f"{prefix}{name}.")
    return found


def _sections(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [s for a in typing.get_args(annotation) for s in _sections(a)]


NO_CHOICE = ("schema", *_asides())  # keys of config.yaml in which runs may differ and be the same


def _is_text(annotation: Any) -> bool:
    """Whether it is a string, or that and null."""
    if typing.get_origin(annotation) is Annotated:
        return _is_text(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return all(_is_text(part) for part in typing.get_args(annotation) if part is not types.NoneType)
    return annotation is str


_VARIANTS = ("model", "optimizer", "schedule", "backend", "tracker")


def _explain(error: Any, values: dict[Any, Any]) -> str:
    """One validation error in the config's own words."""
    location, variant = [str(part) for part in error["loc"]], None
    if len(location) > 1 and location[0] in _VARIANTS:
        variant = location.pop(1)  # which pydantic chose by name
    key, kind, given = ".".join(location), error["type"], error["input"]
    if kind == "extra_forbidden":
        allowed = _allowed(location[:-1], variant)
        value = None if isinstance(given, dict) else _as_yaml(given)
        hint = hints.did_you_mean(key, value, keys_of(values), vocabulary().groups)
        return f"{key}: there is no such key.{hint} Allowed: {', '.join(allowed)}."
    if kind == "missing":
        return f"{key}: is missing."
    if kind.startswith("union_tag"):
        names = error["ctx"].get("expected_tags", "one with a name")
        return f"{key}: unknown kind {error['ctx'].get('tag', given)!r}. Allowed: {names}."
    if kind == "value_error":
        return f"{key + ': ' if key else ''}{error['ctx']['error']}"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        inside = hints.of_its_own(key, given, keys_of(values))
        return f"{key}={_as_yaml(given)}: this is a section; set what is in it: {inside}"
    return f"{key}={_as_yaml(given)}: {error['msg'][0].lower()}{error['msg'][1:]}.{hints.quoting(kind, key, given)}"


def _allowed(parents: list[str], variant: str | None) -> list[str]:
    """The keys that may stand in the section that `parents` leads to."""
    sections: list[type[BaseModel]] = [Config]
    for parent in parents:
        sections = [part for s in sections for part in _sections(s.model_fields[parent].annotation)]
        if variant is not None and parent in _VARIANTS:
            sections = [s for s in sections if variant in typing.get_args(s.model_fields["name"].annotation)]
    return sorted({name for section in sections for name in section.model_fields})


def _as_yaml(value: Any) -> str:
    """As the user wrote it: `null` and `true`, not Python's spelling."""
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
