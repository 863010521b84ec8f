import numpy as np
import pytest
import yaml
from choices import presets
from contexts import MEAN_COLOUR, context

from cifar.augment import Augmentation, Crop, Cutout, Flip, Pipeline
from cifar.errors import UserError

BATCH, CLASSES = 16, 10
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (BATCH, 32, 32, 3), dtype=np.uint8)
LABELS = RNG.integers(0, CLASSES, BATCH)
CROP, FLIP = {"padding": 4, "padding_mode": "constant"}, {"probability": 0.5, "alternate": False}


def run(seed=0, images=IMAGES, **steps):
    pipeline = Pipeline(Augmentation.model_validate({"name": "test", **steps}), CLASSES, MEAN_COLOUR)
    return pipeline(images.copy(), LABELS.copy(), context(seed, len(images)))


def test_no_steps_change_nothing():
    images, labels = run()
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int64)


def test_crop_comes_before_flip_and_each_draws_in_turn():
    images, _ = run(crop=CROP, flip=FLIP)
    turn = context(0, BATCH)
    crop, flip = Crop(padding=4, padding_mode="constant"), Flip(probability=0.5, alternate=False)
    cropped = crop.apply(IMAGES.copy(), crop.draw(turn))
    np.testing.assert_array_equal(images, flip.apply(cropped, flip.draw(turn)))


def test_albumentations_come_after_crop_and_before_cutout():
    black = np.zeros_like(IMAGES)
    images, _ = run(images=black, crop=CROP, albumentations=[{"InvertImg": {"p": 1}}], cutout={"size": 8})
    cut = (images == MEAN_COLOUR).all(-1)
    assert cut.any((1, 2)).all()  # in its own colour, not in the inverted one
    np.testing.assert_array_equal(images[~cut], 255)  # and the crop's black border was inverted with the rest


def test_a_policy_comes_before_albumentations():
    images, _ = run(
        images=np.zeros_like(IMAGES),
        trivialaug={},
        albumentations=[
            {"RandomBrightnessContrast": {"brightness_limit": [0.4, 0.4], "contrast_limit": [0, 0], "p": 1}}
        ],
    )
    # TrivialAugment leaves black black, or makes it white (solarize); only after it is everything brightened.
    assert images.min() > 0


def test_mixing_comes_last():
    images, labels = run(cutout={"size": 64}, mixup={"alpha": 1.0})
    np.testing.assert_allclose(images, np.broadcast_to(MEAN_COLOUR, images.shape), atol=1e-4)
    assert labels.shape == (BATCH, CLASSES)
    np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-6)


# Stronger than the presets, or without one.
STEPS = {
    "flip": {"probability": 1.0, "alternate": False},
    "albumentations": [{"InvertImg": {"p": 1}}],
    "resize": {"sizes": [16, 32]},
    "mixup": {"alpha": 1.0},
    "cutmix": {"alpha": 1.0},
}
PRESETS = [yaml.safe_load(text) for text in presets("aug").values()]


@pytest.mark.parametrize("step", [name for name in Augmentation.model_fields if name != "name"])
def test_every_step_of_the_vocabulary_does_something_by_its_own_draws(step):
    arguments = STEPS.get(step) or next(preset[step] for preset in PRESETS if step in preset)
    images, _ = run(**{step: arguments})
    assert images.shape != IMAGES.shape or (images != IMAGES).any((1, 2, 3)).mean() > 0.5
    np.testing.assert_array_equal(images, run(**{step: arguments})[0])
    if step not in ("flip", "albumentations", "resize"):  # without chance here
        assert (images != run(seed=1, **{step: arguments})[0]).any()


def test_the_order_in_the_config_does_not_matter():
    steps = {"cutout": {"size": 8}, "flip": FLIP, "crop": CROP}
    np.testing.assert_array_equal(run(**steps)[0], run(**dict(reversed(steps.items())))[0])


def test_the_colour_of_what_is_cut_out_is_the_one_given():
    images, _ = run(cutout={"size": 64})
    np.testing.assert_array_equal(images, np.broadcast_to(MEAN_COLOUR, images.shape))


def test_a_wrong_transform_is_refused_when_the_pipeline_is_built():
    config = Augmentation(name="test", albumentations=[{"Blurr": {}}])
    with pytest.raises(UserError, match="there is no transform 'Blurr'"):
        Pipeline(config, CLASSES, MEAN_COLOUR)


@pytest.mark.parametrize(
    "step", [Crop(padding=4, padding_mode="constant"), Flip(probability=0.5, alternate=False), Cutout(size=4)]
)
def test_each_image_of_a_batch_has_its_own_draw(step):
    images = np.repeat(IMAGES[:1], 16, axis=0)
    out = step.apply(images, step.draw(context(0, 16)))
    assert len({image.tobytes() for image in out}) >= 2
    first, again, other = (step.draw(context(seed, 16)) for seed in (1, 1, 2))
    assert [part.tolist() for part in first] == [part.tolist() for part in again]
    assert any((part != another).any() for part, another in zip(first, other, strict=True))
