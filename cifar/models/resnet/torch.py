"""The networks in PyTorch, of timm's parts."""

from collections import OrderedDict

from timm.layers import BatchNormAct2d
from timm.models.resnet import BasicBlock, Bottleneck
from timm.models.resnet import ResNet as TimmResNet
from timm.models.resnetv2 import ResNetV2
from torch import nn

from cifar.models.layers.torch import padded_conv
from cifar.models.resnet import ResNet


def build(model: ResNet, classes: int) -> nn.Module:
    """[B, 3, H, W] -> [B, classes]."""
    return _wide_resnet(model, classes) if model.name == "wrn16_4" else _resnet(model, classes)


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
        conv_layer=padded_conv,
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
