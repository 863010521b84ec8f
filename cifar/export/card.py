"""The model card beside an exported network: what it is, what it was trained on, what it reached, what it cannot do."""

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from cifar import files
from cifar.runs import manifest
from cifar.trained import Trained

if TYPE_CHECKING:
    from cifar.export import Exported


def paths(target: Path) -> tuple[Path, Path]:
    """(JSON, Markdown) beside the exported file or folder."""
    return target.with_name(f"{target.name}.json"), target.with_name(f"{target.name}.md")


def write(trained: Trained, exported: "Exported", form: str, written: Path) -> None:
    """Write both cards beside `written`."""
    content = _content(trained, exported, form, written)
    as_json, as_markdown = paths(written)
    as_json.write_text(files.as_json(content), encoding="utf-8")
    as_markdown.write_text(_markdown(content), encoding="utf-8")


def _content(trained: Trained, exported: "Exported", form: str, written: Path) -> dict[str, Any]:
    config, result = trained.config, trained.result
    images = int(np.sum(result["test/confusion"]))
    accuracy = result["test/acc"]
    interval = binomtest(round(accuracy * images), images).proportion_ci(method="wilson")
    return {
        "name": trained.folder.name,
        "created": time.strftime("%Y-%m-%d"),
        "file": {"name": exported.path.name, "format": form, "bytes": exported.bytes, "sha256": _digest(written)},
        "input": "uint8 [batch, 32, 32, 3], RGB, raw pixels 0 to 255; normalisation is inside",
        "output": f"logits [batch, {len(trained.class_names)}]",
        "classes": list(trained.class_names),
        "network": {"model": config.model.label, "parameters": result["parameters"], "flops": result["flops"]},
        "data": {
            "name": config.data.label,
            "description": result["data_description"],
            "fingerprint": result["data_fingerprint"],
        },
        "recipe": config.model_dump(mode="json", exclude={"runs_dir", "study", "tracker", "sweep", "on_existing"}),
        "results": {
            "test accuracy": accuracy,
            "test accuracy, 95% interval": [interval.low, interval.high],
            "test images": images,
            "test loss": result["test/loss"],
            "validation accuracy": result["val/acc"],
            "test views": (result.get("evaluation") or config.evaluation.views)["tta"],
        },
        "comparison": {
            "images": exported.images,
            "largest difference of logits, relative": exported.difference,
            "images per second": round(exported.speed),
        },
        "limits": _limits(trained),
        "code": manifest.code_version(),
    }


def _limits(trained: Trained) -> list[str]:
    config, limits = trained.config, []
    limits.append(
        "It knows its classes only: any other picture is taken for one of them, often with a high probability."
    )
    limits.append("It sees 32 x 32 pixels: larger pictures must be shrunk by area first.")
    limits.append(
        "The interval of the accuracy is that of the test images (Wilson). Another seed gives another network, other "
        "pictures than those of this data set another accuracy."
    )
    limits.append("Its probabilities are not calibrated.")
    if config.evaluation.tta != "none":
        limits.append(
            f"The test accuracy is that of averaged views (tta={config.evaluation.tta}); the file sees each image once."
        )
    return limits


def _digest(path: Path) -> str | None:
    """Of a file; None for a folder."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _markdown(card: dict[str, Any]) -> str:
    low, high = card["results"]["test accuracy, 95% interval"]
    recipe = card["recipe"]
    return "\n".join(
        [
            f"# {card['name']}",
            "",
            f"{card['network']['model']}, {card['network']['parameters']:,} parameters, as {card['file']['format']} "
            f"({card['file']['name']}, {card['file']['bytes']:,} bytes).",
            "",
            f"- Input: {card['input']}",
            f"- Output: {card['output']}",
            f"- Classes: {', '.join(card['classes'])}",
            "",
            "## Data",
            "",
            f"{card['data']['name']}: {card['data']['description'] or 'images that are not known'} (fingerprint "
            f"{card['data']['fingerprint']}).",
            "",
            "## Recipe",
            "",
            f"{recipe['epochs']} epochs, batches of {recipe['batch_size']}, optimizer {recipe['optimizer']['name']} "
            f"(lr {recipe['optimizer']['lr']:g}), augmentation {recipe['aug']['name']}, seed {recipe['seed']}. The "
            f"whole config is in {card['file']['name']}.json.",
            "",
            "## Results",
            "",
            f"Test accuracy {card['results']['test accuracy']:.2%} (95% interval {low:.2%} to {high:.2%}, "
            f"{card['results']['test images']:,} images), test loss {card['results']['test loss']:.4f}, validation "
            f"accuracy {card['results']['validation accuracy']:.2%}.",
            "",
            f"The file gives the logits of the run: on {card['comparison']['images']}, they differ by at most "
            f"{card['comparison']['largest difference of logits, relative']:.1e} of the largest one.",
            "",
            "## Limits",
            "",
            *(f"- {limit}" for limit in card["limits"]),
            "",
        ]
    )
