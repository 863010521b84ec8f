"""The networks in PyTorch: timm's."""

from timm.models.vision_transformer import VisionTransformer as TimmVisionTransformer
from torch import nn

from cifar.models.vit import VIT_WIDTHS, VisionTransformer
from cifar.schema import IMAGE_SIZE


def build(model: VisionTransformer, classes: int) -> nn.Module:
    """[B, 3, H, W] -> [B, classes]."""
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
