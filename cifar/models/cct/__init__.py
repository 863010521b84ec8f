"""Compact Convolutional Transformers (Hassani et al. 2021, arXiv:2104.05704)."""

import math
from typing import Annotated, Literal

from cifar.models.choice import Distribution, ModelChoice, Normal
from cifar.schema import BelowOne, Neutral

WIDTH = 128  # of a token
STEM = 64  # channels between the tokenizer's two convolutions
HEADS = 2
DEPTH = 2  # transformer blocks; the linear layers between them are as wide as a token


class CompactTransformer(ModelChoice):
    """Two convolutions make 64 tokens of an image; two transformer blocks; a learned average over the tokens.

    As in the authors' program (SHI-Labs/Compact-Transformers, src/cct.py), the second norm of a block is applied to the
    residual stream itself, not to the branch alone."""

    embeddings = ("pos_embed",)

    name: Literal["cct_2_3x2"]
    dropout: Annotated[BelowOne, Neutral(0.0)]
    """Dropout probability after the position embedding and in the blocks."""
    attention_dropout: Annotated[BelowOne, Neutral(0.0)]
    """Dropout probability of the attention weights."""
    drop_path: Annotated[BelowOne, Neutral(0.0)]
    """Stochastic depth: the largest probability of skipping a residual block. It grows linearly from 0 at the first
    block."""

    def distribution(self, layer: str, shape: tuple[int, ...]) -> Distribution:
        """The authors': He et al. 2015 by inputs for the tokenizer, normal for all else."""
        if layer.startswith("tokenizer."):
            return Normal(math.sqrt(2 / math.prod(shape[1:])))
        return Normal(0.2 if layer == "pos_embed" else 0.02)
