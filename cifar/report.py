"""A run's result as a table for the console."""

from cifar.runs.folder import RunFolder
from cifar.runs.result import Result


def summary(folder: RunFolder, result: Result) -> str:
    """The figures of a finished run, one a line, and where to find the rest."""
    classes = zip(result["class_names"], result["test/per_class_accuracy"], strict=True)
    worst = sorted((accuracy, name) for name, accuracy in classes if accuracy is not None)[:3]
    lines = {
        "test accuracy": f"{result['test/acc']:.2%}{_one_view(result)}",
        "test loss": f"{result['test/loss']:.4f}",
        "calibration error": f"{result['test/ece']:.2%}",
        "hardest classes": ", ".join(f"{name} {accuracy:.1%}" for accuracy, name in worst),
        "validation": f"{result['val/acc']:.2%} (best, epoch {result['best_epoch']} of {result['epochs']})",
        "parameters": f"{result['parameters']:,}",
        "FLOP per image": f"{result['flops'] / 1e6:,.1f} M",
        "time": f"{result['seconds']:,.1f} s training and validation, {result['test_seconds']:,.1f} s test",
        "training speed": f"{result['images_per_second']:,.0f} images/s ({result['device']}, {result['precision']})",
        "peak memory": f"{result['peak_memory_bytes'] / 2**20:,.0f} MiB",
        **_images(result),
        "run folder": str(folder.path),
    }
    width = max(map(len, lines))
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in lines.items())


def _images(result: Result) -> dict[str, str]:
    """What images they were, if that is not as it should be, or is not recorded."""
    if "data_description" not in result or result["data_description"] is not None:
        return {}
    return {"images": f"not known (fingerprint {result['data_fingerprint']}): does not compare with other results"}


def _one_view(result: Result) -> str:
    alone = result.get("test/acc_one_view")
    return "" if alone is None else f" ({alone:.2%} without test-time augmentation)"
