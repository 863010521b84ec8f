"""Vision transformers."""

from typing import Annotated, Literal

from pydantic import PositiveInt, model_validator

from cifar.models.choice import Distribution, ModelChoice, Normal, pytorch_default
from cifar.schema import IMAGE_SIZE, BelowOne, Neutral

VIT_WIDTHS = {"vit_tiny": (192, 3), "vit_small": (384, 6)}  # width, heads


class VisionTransformer(ModelChoice):
    """timm's vision transformers."""

    embeddings = ("cls_token", "pos_embed")

    name: Literal["vit_tiny", "vit_small"]
    patch_size: PositiveInt
    """Pixels along each side of a patch; each patch is one token. Must divide 32."""
    dropout: Annotated[BelowOne, Neutral(0.0)]
    """Dropout probability in the embedding, in the blocks and before the classifier."""
    drop_path: Annotated[BelowOne, Neutral(0.0)]
    """Stochastic depth: the largest probability of skipping a residual block. It grows linearly from 0 at the first
    block."""

    @model_validator(mode="after")
    def _patches_cover_the_image(self) -> "VisionTransformer":
        if IMAGE_SIZE % self.patch_size:
            raise ValueError(f"patch_size {self.patch_size} must divide the image's {IMAGE_SIZE} pixels")
        return self

    def distribution(self, layer: str, shape: tuple[int, ...]) -> Distribution:
        """What timm gives these networks, but for the weight of 2, a hundred deviations, that its truncated normal
        yields now and then where float32 ends."""
        if layer == "patch_embed.proj":
            return pytorch_default(shape)
        return Normal(1e-6 if layer == "cls_token" else 0.02)
