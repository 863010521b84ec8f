"""What a run's result says: the one list of its keys, under which they are written, read and shown."""

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from cifar.evaluation.classification import Evaluation

# All of the JSON object: what other versions of the program wrote stays in it, and what they did not write is
# absent. So is what a network has not that was trained elsewhere (`converted_from`).
Result = TypedDict(
    "Result",
    {
        "test/acc": float,
        "test/top5_acc": float,
        "test/loss": float,  # mean cross-entropy, nats
        "test/ece": float,  # expected calibration error
        "test/per_class_accuracy": list[float | None],  # None: no image of that class
        "test/confusion": list[list[int]],  # [true][predicted]
        "test/acc_one_view": float,  # only with test-time augmentation: what it is without
        "test_seconds": float,
        "evaluation": dict[str, Any],  # how the test images were viewed
        "val/acc": float,  # of the best epoch
        "best_epoch": int,  # from 1
        "epochs": int,
        "seconds": float,  # of training and validation
        "images_per_second": float,  # in training
        "peak_memory_bytes": int,
        "device": str,
        "precision": str,
        "parameters": int,
        "flops": int,  # of one image's forward pass
        "class_names": list[str],
        "data_fingerprint": str,
        "data_description": str | None,  # None: the images are not known
        "converted_from": str,  # name of the run folder
        "largest_logit_difference": float,  # of a converted network, relative to the largest logit
    },
    total=False,
)


RENAMED = {"test/calibration_error": "test/ece"}  # keys of earlier versions


def in_new_keys(recorded: dict[str, Any]) -> dict[str, Any]:
    """A result that any version of the program wrote, in the keys of this one."""
    return {RENAMED.get(key, key): value for key, value in recorded.items()}


def scores(evaluation: "Evaluation") -> Result:
    """The part of a result that follows from the predictions for the test images."""
    return {
        "test/acc": evaluation.acc,
        "test/top5_acc": evaluation.top5_acc,
        "test/loss": evaluation.loss,
        "test/ece": evaluation.ece,
        "test/per_class_accuracy": evaluation.per_class_accuracy,
        "test/confusion": evaluation.confusion,
    }
