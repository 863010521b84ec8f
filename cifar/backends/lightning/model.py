"""The networks, as PyTorch modules that take raw pixels."""

import itertools
from collections import OrderedDict
from collections.abc import Sequence

import timm
import torch
from timm.layers import BatchNormAct2d, convert_sync_batchnorm
from timm.models.resnet import BasicBlock, Bottleneck
from timm.models.resnet import ResNet as TimmResNet
from timm.models.resnetv2 import ResNetV2
from timm.models.vision_transformer import VisionTransformer as TimmVisionTransformer
from torch import nn

from cifar.config import IMAGE_SIZE, SPEEDNET_KEEPS, VIT_WIDTHS, Cnn, Model, ResNet, SpeedNet, Timm, VisionTransformer
from cifar.errors import UserError, nearest


class Network(nn.Module):
    """Normalisation, then the body: uint8 or float [B, H, W, 3] on the scale 0..255 -> logits [B, classes]."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, body: nn.Module, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32))
        self.body = body

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        # [B, H, W, 3] seen as [B, 3, H, W] is what PyTorch calls channels-last: nothing is copied.
        normalised = (images.to(self.mean.dtype) - self.mean) / self.std
        return self.body(normalised.permute(0, 3, 1, 2))


def build(model: Model, classes: int, mean: Sequence[float], std: Sequence[float]) -> Network:
    """The network of `model` with fresh weights from torch's random state; weights in channels-last order.

    `mean`, `std`: of each colour channel on the scale 0..255."""
    return Network(_body(model, classes), mean, std).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def synchronised(network: Network) -> Network:
    """The network with batch norms whose statistics are over the batches of all devices, which PyTorch has for GPUs.

    timm converts them: PyTorch's own conversion loses the activations that are part of timm's norms."""
    return convert_sync_batchnorm(network)


def _body(model: Model, classes: int) -> nn.Module:
    match model:
        case Cnn():
            return _cnn(model, classes)
        case ResNet(name="wrn16_4"):
            return _wide_resnet(model, classes)
        case ResNet():
            return _resnet(model, classes)
        case VisionTransformer():
            return _vision_transformer(model, classes)
        case SpeedNet():
            return _speednet(model, classes)
        case Timm():
            return _any_of_timm(model, classes)
    raise UserError(f"model={model.name}: cifar/backends/lightning/model.py does not build it.")


def _cnn(model: Cnn, classes: int) -> nn.Module:
    """Three pairs of 3x3 convolution, ELU, batch norm; each pair is pooled to half the size, with dropout."""
    body, channels = nn.Sequential(), 3
    for stage, dropout in enumerate(model.dropout):
        width = model.width * 2**stage
        for layer in range(2):
            name = f"{stage}_{layer}"
            body.add_module(f"conv{name}", nn.Conv2d(channels, width, 3, padding=1))
            body.add_module(f"elu{name}", nn.ELU())
            body.add_module(f"norm{name}", nn.BatchNorm2d(width))
            channels = width
        body.add_module(f"pool{stage}", nn.MaxPool2d(2))
        body.add_module(f"dropout{stage}", nn.Dropout(dropout))
    body.add_module("flatten", _Flatten())
    body.add_module("fc", nn.Linear(channels * (IMAGE_SIZE // 8) ** 2, classes))
    return body


class _Flatten(nn.Module):
    """[B, C, H, W] -> [B, H*W*C]: the order in which channels-last pixels lie, so that nothing is copied."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.permute(0, 2, 3, 1).flatten(1)


def _resnet(model: ResNet, classes: int) -> nn.Module:
    """timm's ResNet; 3x3 stem of stride 1 and no pooling after it, as He et al. did on CIFAR."""
    block, layers = {"resnet18": (BasicBlock, (2, 2, 2, 2)), "resnet50": (Bottleneck, (3, 4, 6, 3))}[model.name]
    body = TimmResNet(
        block,  # type: ignore[arg-type]
        layers,
        num_classes=classes,
        drop_rate=model.dropout,
        drop_path_rate=model.drop_path,
    )
    body.conv1 = _stem(64)  # type: ignore[assignment]
    body.maxpool = nn.Identity()  # type: ignore[assignment]
    return body


def _wide_resnet(model: ResNet, classes: int) -> nn.Module:
    """WRN-16-4 from timm's pre-activation blocks: three stages of two, 16 channels in the stem, then 64, 128, 256."""
    body = ResNetV2(
        layers=[2, 2, 2],
        channels=(64, 128, 256),
        num_classes=classes,
        stem_chs=16,
        basic=True,
        bottle_ratio=1.0,  # timm would make even the basic block's inner convolution narrow
        norm_layer=BatchNormAct2d,
        conv_layer=_padded_conv,
        drop_rate=model.dropout,
        drop_path_rate=model.drop_path,
    )
    body.stem = nn.Sequential(OrderedDict(conv=_stem(16)))
    return body


def _stem(channels: int) -> nn.Conv2d:
    """A first convolution for small images, initialised as timm initialises its own."""
    conv = nn.Conv2d(3, channels, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


def _padded_conv(inputs: int, outputs: int, kernel_size: int, **arguments: object) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size, padding=kernel_size // 2, bias=False, **arguments)  # type: ignore[arg-type]


def _vision_transformer(model: VisionTransformer, classes: int) -> nn.Module:
    width, heads = VIT_WIDTHS[model.name]
    return TimmVisionTransformer(
        img_size=IMAGE_SIZE,
        patch_size=model.patch_size,
        num_classes=classes,
        embed_dim=width,
        depth=12,
        num_heads=heads,
        pos_drop_rate=model.dropout,
        proj_drop_rate=model.dropout,
        drop_rate=model.dropout,
        drop_path_rate=model.drop_path,
    )


def _speednet(model: SpeedNet, classes: int) -> nn.Module:
    """A whitening layer, whose filters are not trained, three stages that halve the size, and the largest of each
    channel."""
    whiten = nn.Conv2d(3, 24, 2)
    whiten.weight.requires_grad = False
    inputs = (whiten.out_channels, *model.widths)
    stages = (_Stage(i, o, model.depth) for i, o in itertools.pairwise(inputs))
    layers = {
        "whiten": whiten,
        "act": nn.GELU(),
        "stages": nn.Sequential(*stages),
        "pool": nn.AdaptiveMaxPool2d(1),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(model.widths[-1], classes, bias=False),
    }
    return nn.Sequential(OrderedDict(layers))


class _Stage(nn.Module):
    """Convolution and pooling, then one convolution, or two with a shortcut; each with batch norm and GELU."""

    def __init__(self, inputs: int, outputs: int, depth: int):
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.act = nn.GELU()
        self.conv1, self.norm1 = _padded_conv(inputs, outputs, 3), _unscaled_norm(outputs)
        self.conv2, self.norm2 = _padded_conv(outputs, outputs, 3), _unscaled_norm(outputs)
        if depth == 3:
            self.conv3, self.norm3 = _padded_conv(outputs, outputs, 3), _unscaled_norm(outputs)
        self.depth = depth

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.act(self.norm1(self.pool(self.conv1(x))))
        second = self.act(self.norm2(self.conv2(first)))
        return second if self.depth == 2 else self.act(self.norm3(self.conv3(second)) + first)


def _unscaled_norm(channels: int) -> nn.BatchNorm2d:
    """Its scale stays 1, as in airbench94_muon.py (KellerJordan/cifar10-airbench)."""
    norm = nn.BatchNorm2d(channels, momentum=1 - SPEEDNET_KEEPS)
    norm.weight.requires_grad = False
    return norm


def _any_of_timm(model: Timm, classes: int) -> nn.Module:
    """Raises UserError if timm does not know the network, or it cannot be built or take images of this size."""
    if not timm.is_model(model.architecture.partition(".")[0]):
        raise UserError(
            f"model.architecture={model.architecture}: timm has no such network."
            f"{nearest(model.architecture, timm.list_models())} `timm.list_models()` lists them."
        )
    # Transformers are told the size of the image; convolutional networks refuse the argument.
    for size in ({"img_size": IMAGE_SIZE}, {}):
        try:
            body = timm.create_model(model.architecture, num_classes=classes, **{**size, **model.arguments})
        except TypeError as error:
            failure: Exception = error
            continue
        except Exception as error:  # a network's own checks raise anything
            failure = error
            break
        _check_size(model.architecture, body)
        return body
    raise UserError(f"model.architecture={model.architecture} cannot be built: {failure}") from failure


def _check_size(name: str, body: nn.Module) -> None:
    training = body.training
    try:
        with torch.no_grad():
            body.eval()(torch.zeros(1, 3, IMAGE_SIZE, IMAGE_SIZE))
    except Exception as error:
        raise UserError(
            f"model.architecture={name} cannot take images of {IMAGE_SIZE}x{IMAGE_SIZE} pixels: {error}"
        ) from error
    body.train(training)
