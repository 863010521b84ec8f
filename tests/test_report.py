from pathlib import Path

from cifar.report import summary
from cifar.runs.folder import RunFolder

RESULT = {
    "test/acc": 0.91234, "test/loss": 0.3, "test/ece": 0.0123, "val/acc": 0.92,
    "test/per_class_accuracy": [0.9, None, 0.5, 0.7, 0.8], "class_names": ["a", "b", "c", "d", "e"],
    "best_epoch": 7, "epochs": 8, "parameters": 308394, "flops": 77_300_000, "seconds": 61.5, "test_seconds": 2.25,
    "images_per_second": 777.4, "device": "CPU", "precision": "bf16", "peak_memory_bytes": 3 * 2**30,
}  # fmt: skip


def test_it_tells_the_figures_and_where_the_rest_is():
    text = summary(RunFolder(Path("runs/main/x")), RESULT)
    for part in ("91.23%", "1.23%", "92.00% (best, epoch 7 of 8)", "308,394", "77.3 M", "3,072 MiB", "runs/main/x"):
        assert part in text
    assert "c 50.0%, d 70.0%, e 80.0%" in text, "the three hardest, a class without images left out"


def test_images_that_are_not_known_are_told_and_only_these():
    folder = RunFolder(Path("runs/main/x"))
    unknown = RESULT | {"data_fingerprint": "f00d", "data_description": None}
    assert "not known (fingerprint f00d): does not compare with other results" in summary(folder, unknown)
    assert "not known" not in summary(folder, unknown | {"data_description": "the published files"})
    assert "not known" not in summary(folder, RESULT), "of an earlier version, which did not record it"
