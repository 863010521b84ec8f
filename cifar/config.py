"""The typed schema of a run. YAML holds the defaults; this says which keys exist and which values make sense."""

import functools
import hashlib
import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from cifar.errors import UserError, nearest

CONF = Path(__file__).resolve().parents[1] / "conf"
IMAGE_SIZE = 32  # pixels a side, of every data set here
SPEEDNET_KEEPS = 0.6  # of a SpeedNet's running statistics, a step: there are too few steps for the usual 0.9
VIT_WIDTHS = {"vit_tiny": (192, 3), "vit_small": (384, 6)}  # width, heads

# Where a run is kept, who watches it, how fast it is fed: nothing that changes its result.
NO_CHOICE = ("study", "runs_dir", "on_existing", "tracker", "sweep", "data.root", "backend.workers", "backend.profile")

Fraction = Annotated[float, Field(ge=0, le=1)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]
InsideOne = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Section(BaseModel):
    """A part of the config: frozen, no unknown keys, no silent conversions, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


# ------------------------------------------------------------------------------------------------ model
class Cnn(Section):
    """Six 3x3 convolutions with ELU, batch norm and dropout."""

    name: Literal["cnn"]
    width: PositiveInt = Field(description="channels of the first pair of convolutions")
    dropout: Annotated[list[BelowOne], Field(min_length=3, max_length=3)] = Field(description="after each pair")

    @property
    def label(self) -> str:
        return self.name


class ResNet(Section):
    """timm's residual networks with a stem for small images."""

    name: Literal["resnet18", "resnet50", "wrn16_4"]
    dropout: BelowOne = Field(description="before the classifier")
    drop_path: BelowOne = Field(description="largest probability of skipping a block")

    @property
    def label(self) -> str:
        return self.name


class VisionTransformer(Section):
    """timm's vision transformers."""

    name: Literal["vit_tiny", "vit_small"]
    patch_size: PositiveInt = Field(description="pixels a side of a token")
    dropout: BelowOne = Field(description="in the embedding, the blocks and before the classifier")
    drop_path: BelowOne = Field(description="largest probability of skipping a block")

    @model_validator(mode="after")
    def _patches_cover_the_image(self) -> "VisionTransformer":
        if IMAGE_SIZE % self.patch_size:
            raise ValueError(f"patch_size {self.patch_size} must divide the image's {IMAGE_SIZE} pixels")
        return self

    @property
    def label(self) -> str:
        return self.name


class SpeedNet(Section):
    """Three stages of convolutions behind a whitening layer, made to be trained in a few passes (arXiv:2404.00498)."""

    name: Literal["speednet"]
    widths: Annotated[list[PositiveInt], Field(min_length=3, max_length=3)] = Field(description="channels, by stage")
    depth: Literal[2, 3] = Field(description="convolutions of each stage; with 3, the last two have a shortcut")

    @property
    def label(self) -> str:
        return self.name


class Timm(Section):
    """Any network of timm."""

    name: Literal["timm"]
    architecture: Annotated[str, Field(min_length=1)] = Field(description="a name from timm.list_models()")
    arguments: dict[str, Any] = Field(description="further arguments of timm.create_model")

    @property
    def label(self) -> str:
        return re.sub(r"[^A-Za-z0-9._-]", "_", self.architecture)


Model = Annotated[Cnn | ResNet | VisionTransformer | SpeedNet | Timm, Field(discriminator="name")]


# ------------------------------------------------------------------------------------------------ aug
class Crop(Section):
    """Pad, then cut out a window of the old size at a random place."""

    padding: Annotated[int, Field(ge=1, lt=IMAGE_SIZE)] = Field(description="pixels on every side")
    border: Literal["black", "reflect"] = Field(description="what is padded with")


class Flip(Section):
    """Mirror left to right."""

    probability: Fraction
    alternate: bool = Field(description="draw once for each image; then turn it in every epoch")


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


class Augmentation(Section):
    """Steps, applied in this order. A step that is not there is not done."""

    name: FileName = Field(description="what tables and folders call this mixture")
    crop: Crop | None = None
    flip: Flip | None = None
    randaug: RandAugment | None = None
    trivialaug: TrivialAugment | None = None
    albumentations: list[dict[str, Any]] | None = Field(
        None, description="transforms as {Name: {argument: value}}, one mapping each"
    )
    cutout: Cutout | None = None
    resize: Resize | None = None
    mixup: Mixup | None = None
    cutmix: CutMix | None = None


# ------------------------------------------------------------------------------------------------ optimizer
class Sgd(Section):
    """v = momentum * v + g; w -= lr * v, where g includes weight_decay * w."""

    name: Literal["sgd"]
    lr: PositiveFloat = Field(description="the highest learning rate of the schedule")
    momentum: BelowOne
    nesterov: bool
    weight_decay: NonNegativeFloat

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
    weight_decay: NonNegativeFloat


class Muon(Section):
    """Orthogonalised momentum for matrices, AdamW for the rest (https://kellerjordan.github.io/posts/muon/)."""

    name: Literal["muon"]
    lr: PositiveFloat = Field(description="the highest learning rate of the schedule")
    momentum: BelowOne
    nesterov: bool
    weight_decay: NonNegativeFloat
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
    nesterov: bool
    weight_decay: NonNegativeFloat = Field(description="of the classifier's weights; the matrices' norm is fixed")


Optimizer = Annotated[Sgd | AdamW | Muon | MuonSgd, Field(discriminator="name")]


# ------------------------------------------------------------------------------------------------ schedule
class Cosine(Section):
    """Half a cosine from the highest learning rate down to final_ratio of it."""

    name: Literal["cosine"]
    warmup: BelowOne = Field(description="fraction of all steps")
    final_ratio: Fraction


class Linear(Section):
    """A straight line from the highest learning rate down to final_ratio of it."""

    name: Literal["linear"]
    warmup: BelowOne = Field(description="fraction of all steps")
    final_ratio: Fraction


class Step(Section):
    """Multiplied by `factor` at each milestone."""

    name: Literal["step"]
    warmup: BelowOne = Field(description="fraction of all steps")
    milestones: Annotated[list[InsideOne], Field(min_length=1)] = Field(description="fractions of all steps")
    factor: InsideOne


class Constant(Section):
    """The same learning rate after the warm-up."""

    name: Literal["constant"]
    warmup: BelowOne = Field(description="fraction of all steps")


Schedule = Annotated[Cosine | Linear | Step | Constant, Field(discriminator="name")]


# ------------------------------------------------------------------------------------------------ the rest
class Lightning(Section):
    """PyTorch through PyTorch Lightning."""

    name: Literal["lightning"]
    device: Literal["auto", "cpu", "gpu"]
    devices: PositiveInt = Field(description="processes of data-parallel training")
    workers: Literal["auto"] | Annotated[int, Field(ge=0, le=256)] = Field(
        description="processes that prepare batches, unless the GPU does"
    )
    compile: bool = Field(description="torch.compile the network")
    profile: bool = Field(description="find out where the time goes")

    @property
    def label(self) -> str:
        return self.name


class Keras(Section):
    """Keras 3 on one of its engines."""

    name: Literal["keras"]
    engine: Literal["tensorflow", "jax", "torch"]
    device: Literal["auto", "cpu", "gpu"]
    workers: Literal["auto"] | Annotated[int, Field(ge=0, le=256)] = Field(description="threads that prepare batches")
    compile: Literal["auto"] | bool = Field(description="compile the training step: XLA, or torch.compile")
    profile: bool = Field(description="find out where the time goes")

    @property
    def label(self) -> str:
        return self.name if self.engine == "tensorflow" else f"{self.name}_{self.engine}"


Backend = Annotated[Lightning | Keras, Field(discriminator="name")]


class Data(Section):
    """Which images, and how they are divided."""

    name: Literal["cifar10", "cifar100", "digits"]
    root: str | None = Field(description="folder of the downloaded data; unused by digits")
    val_size: PositiveInt = Field(description="images taken from the training images to choose the checkpoint by")
    train_size: PositiveInt | None = Field(description="stratified subset of the rest; null: all of it")
    split_seed: Seed

    @model_validator(mode="after")
    def _downloaded_data_needs_a_folder(self) -> "Data":
        if self.name != "digits" and not self.root:
            raise ValueError(f"{self.name} needs data.root, the folder that holds it (or set CIFAR_DATA_DIR)")
        return self


class Evaluation(Section):
    """When the network is validated, and how it is tested."""

    validate_every: PositiveInt = Field(description="epochs from one validation to the next")
    tta: Literal["none", "flip", "flip_shift"] = Field(description="views of each test image that are averaged")
    tta_share: Annotated[float, Field(gt=0, le=1)] = Field(
        description="share of the images, the least sure ones, that are shown in more than one view"
    )


class Wandb(Section):
    """Weights & Biases."""

    name: Literal["wandb"]
    project: str
    entity: str | None
    mode: Literal["auto", "online", "offline"]


class NoTracker(Section):
    """The run folder only."""

    name: Literal["none"]


class Sweep(Section):
    """How the jobs of a sweep are dealt with; of no meaning to a single run."""

    retry_failed: bool = Field(description="whether a job that failed earlier is tried again")
    fail_fast: bool = Field(description="whether the first failure stops the sweep")
    time_limit: PositiveFloat | None = Field(description="seconds after which a job is stopped and counts as failed")


class Config(Section):
    """One run, complete."""

    model: Model
    aug: Augmentation
    optimizer: Optimizer
    schedule: Schedule
    backend: Backend
    data: Data
    tracker: Annotated[Wandb | NoTracker, Field(discriminator="name")]
    seed: Seed
    epochs: Annotated[int, Field(gt=0, le=100_000)]
    batch_size: PositiveInt = Field(description="images a step, over all devices together")
    precision: Literal["auto", "fp32", "bf16", "fp16", "fp64"]
    label_smoothing: BelowOne
    clip_norm: PositiveFloat | None = Field(description="largest L2 norm of the whole gradient")
    ema_decay: InsideOne | None = Field(description="of the averaged weights, per step")
    freeze: dict[str, Fraction] = Field(description="of the epochs, for which a part of the network is trained")
    evaluation: Evaluation
    study: FileName
    runs_dir: Annotated[str, Field(min_length=1)]
    on_existing: Literal["resume", "skip", "rerun", "fail"]
    sweep: Sweep

    @field_validator("freeze", mode="before")
    @classmethod
    def _parts_have_dotted_names(cls, given: Any) -> Any:
        """`+freeze.stages.0=0.5` reaches us as {"stages": {"0": 0.5}}."""
        return dict(flat(given)) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _devices_share_the_batch(self) -> "Config":
        if isinstance(self.backend, Lightning) and self.batch_size % self.backend.devices:
            raise ValueError(
                f"batch_size {self.batch_size} must be divisible by backend.devices {self.backend.devices}"
            )
        return self

    @model_validator(mode="after")
    def _keras_can_do_it(self) -> "Config":
        if isinstance(self.backend, Keras):
            if isinstance(self.model, Timm):
                raise ValueError(
                    "model=timm: timm's networks are PyTorch's; use backend=lightning, or with backend=keras one of "
                    "cnn, resnet18, resnet50, wrn16_4, vit_tiny, vit_small, speednet"
                )
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
        identity = self.model_dump()
        for key in NO_CHOICE:
            *sections, name = key.split(".")
            functools.reduce(dict.__getitem__, sections, identity).pop(name, None)
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
        choices = (self.model.label, self.aug.name, self.optimizer.name, self.data.name, self.backend.label)
        return "-".join((*choices, f"s{self.seed}", digest))


def composed(*overrides: str) -> Config:
    """The config that these arguments of train.py make."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return from_hydra(compose("config", list(overrides)))


def from_hydra(composed: DictConfig) -> Config:
    """Validate a composed config. Raises UserError that lists every mistake at once."""
    try:
        return Config.model_validate(OmegaConf.to_container(composed, resolve=True, throw_on_missing=True))
    except ValidationError as error:
        lines = [f"  {_explain(e)}" for e in error.errors()]
        raise UserError("the config is not valid:\n" + "\n".join(lines)) from None


def to_yaml(config: Config) -> str:
    """The config as YAML that `from_yaml` reads back to an equal one."""
    return OmegaConf.to_yaml(OmegaConf.create(config.model_dump()))


def from_yaml(text: str) -> Config:
    """The config that `to_yaml` wrote."""
    composed = OmegaConf.create(text)
    assert isinstance(composed, DictConfig)
    return from_hydra(composed)


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


def owners(key: str) -> list[str]:
    """The choices of a group that have the key: `optimizer.beta1` -> ["adamw"]."""
    group, _, rest = key.partition(".")
    having = [s for s in _sections(Config.model_fields[group].annotation) if rest.partition(".")[0] in s.model_fields]
    return [name for s in having for name in typing.get_args(s.model_fields["name"].annotation)]


def _keys(section: type[BaseModel], prefix: str) -> dict[str, Any]:
    """Dotted keys, and the types of what stands there."""
    found: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        found[prefix + name] = field.annotation
        for part in _sections(field.annotation):
            found |= _keys(part, f"{prefix}{name}.")
    return found


def _sections(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [s for a in typing.get_args(annotation) for s in _sections(a)]


_VARIANTS = ("model", "optimizer", "schedule", "backend", "tracker")


def _explain(error: Any) -> str:
    """One validation error in the config's own words."""
    location, variant = [str(part) for part in error["loc"]], None
    if len(location) > 1 and location[0] in _VARIANTS:
        variant = location.pop(1)  # which pydantic chose by name
    key, kind, given = ".".join(location), error["type"], error["input"]
    if kind == "extra_forbidden":
        allowed = _allowed(location[:-1], variant)
        return f"{key}: there is no such key.{nearest(location[-1], allowed)} Allowed: {', '.join(allowed)}."
    if kind == "missing":
        return f"{key}: is missing."
    if kind.startswith("union_tag"):
        names = error["ctx"].get("expected_tags", "one with a name")
        return f"{key}: unknown kind {error['ctx'].get('tag', given)!r}. Allowed: {names}."
    if kind == "value_error":
        return f"{key + ': ' if key else ''}{error['ctx']['error']}"
    return f"{key}={_as_yaml(given)}: {error['msg'][0].lower()}{error['msg'][1:]}."


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
