"""A network of your own, in PyTorch. From the folder that holds it:

python ../train.py --config-dir my_conf model=my_net"""

import torch
from torch import nn


class MyNet(nn.Module):
    """Two stages of 3x3 convolutions with a residual connection, then the mean over all pixels."""

    def __init__(self, classes: int, width: int):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.block = nn.ModuleDict({"conv": nn.Conv2d(width, width, 3, padding=1)})
        self.wide = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Normalised images [B, 3, 32, 32] to logits [B, classes]."""
        x = torch.relu(self.norm(self.stem(images)))
        x = x + torch.relu(self.block["conv"](x))
        return self.head(torch.relu(self.wide(x)).mean((2, 3)))


def build(classes: int, width: int = 32) -> nn.Module:
    """`width`: channels of the first stage."""
    return MyNet(classes, width)
