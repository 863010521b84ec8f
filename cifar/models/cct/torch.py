"""The network in PyTorch."""

import numpy as np
import torch
from timm.layers import Attention, DropPath, Mlp
from torch import nn

from cifar.models.cct import DEPTH, HEADS, STEM, WIDTH, CompactTransformer
from cifar.models.layers.torch import padded_conv
from cifar.schema import IMAGE_SIZE


def build(model: CompactTransformer, classes: int) -> nn.Module:
    """[B, 3, H, W] -> [B, classes]."""
    return _CompactTransformer(model, classes)


class _CompactTransformer(nn.Module):
    def __init__(self, model: CompactTransformer, classes: int):
        super().__init__()
        self.tokenizer = _Tokenizer()
        self.pos_embed = nn.Parameter(torch.zeros(1, (IMAGE_SIZE // 4) ** 2, WIDTH))
        self.pos_drop = nn.Dropout(model.dropout)
        self.blocks = nn.Sequential(*(_Block(model, rate) for rate in np.linspace(0, model.drop_path, DEPTH).tolist()))
        self.norm = nn.LayerNorm(WIDTH)
        self.attention_pool = nn.Linear(WIDTH, 1)
        self.fc = nn.Linear(WIDTH, classes)

    def no_weight_decay(self) -> set[str]:
        """Parameters of no layer, as timm's networks name them."""
        return {"pos_embed"}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.blocks(self.pos_drop(self.tokenizer(x) + self.pos_embed)))
        # Not a matrix product: one row of weights for each image is too little for it.
        return self.fc((self.attention_pool(x).softmax(1) * x).sum(1))


class _Tokenizer(nn.Module):
    """[B, 3, H, W] -> [B, H/4 * W/4, width]: two convolutions, each with ReLU and pooling to half the size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = padded_conv(3, STEM, 3), padded_conv(STEM, WIDTH, 3)
        self.act, self.pool = nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv in (self.conv1, self.conv2):
            x = self.pool(self.act(conv(x)))
        return x.flatten(2).transpose(1, 2)


class _Block(nn.Module):
    def __init__(self, model: CompactTransformer, drop_path: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.attn = Attention(WIDTH, HEADS, attn_drop=model.attention_dropout, proj_drop=model.dropout)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = Mlp(WIDTH, drop=model.dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm2(x + self.drop_path(self.attn(self.norm1(x))))
        return x + self.drop_path(self.mlp(x))
