"""Megabytes of this environment: PyTorch, the libraries of NVIDIA that it brings, and everything else.

Seconds: `time make quickstart` in a fresh clone."""

import re
import sysconfig
from pathlib import Path

PARTS = {"PyTorch": r"torch|torchgen|functorch|torchvision", "CUDA and Triton": r"nvidia.*|triton|cuda.*"}


def main() -> None:
    sizes = dict.fromkeys([*PARTS, "everything else"], 0)
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        package = re.split(r"[-.]", path.name.lower())[0]
        part = next((part for part, names in PARTS.items() if re.fullmatch(names, package)), "everything else")
        sizes[part] += sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())
    for part, size in sizes.items():
        print(f"{part:<16} {size / 1e6:7,.0f} MB")


if __name__ == "__main__":
    main()
