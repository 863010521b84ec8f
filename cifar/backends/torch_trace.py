"""A trace by PyTorch's profiler."""

from pathlib import Path

from torch.profiler import ProfilerActivity, profile

OPERATIONS = 50


class TorchTrace:
    """Leaves trace.json.gz, for ui.perfetto.dev or chrome://tracing, and operations.txt, by time, with shapes."""

    def __init__(self, folder: Path, gpu: bool):
        self._folder = folder
        self._gpu = gpu

    def start(self) -> None:
        devices = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self._gpu else [])]
        self._profiler = profile(activities=devices, record_shapes=True)
        self._profiler.start()

    def stop(self) -> None:
        self._profiler.stop()
        self._profiler.export_chrome_trace(str(self._folder / "trace.json.gz"))
        operations = self._profiler.key_averages(group_by_input_shape=True)
        device = "device" if self._gpu else "cpu"
        table = operations.table(sort_by=f"self_{device}_time_total", row_limit=OPERATIONS)
        (self._folder / "operations.txt").write_text(table, encoding="utf-8")
