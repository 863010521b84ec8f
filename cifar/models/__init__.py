"""The networks: each in a folder of its own, which holds all that is known of it. This is the list of them."""

from typing import Annotated

from pydantic import Field

from cifar.models.airbench import Airbench
from cifar.models.cct import CompactTransformer
from cifar.models.cnn import Cnn
from cifar.models.custom import CustomModel
from cifar.models.resnet import ResNet
from cifar.models.timm import Timm
from cifar.models.vit import VisionTransformer

Model = Annotated[
    Cnn | ResNet | VisionTransformer | Airbench | CompactTransformer | Timm | CustomModel, Field(discriminator="name")
]
