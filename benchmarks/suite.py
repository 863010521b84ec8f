"""All measurements in one run, and what they print as one page, with what they were run on.

    python benchmarks/suite.py [throughput] [accuracy] … [--output FILE]

Without arguments all of them, for benchmarks/RESULTS.md, which is replaced at the end. Parts by name are only shown,
unless --output says where to write them: the page is of one run."""

import argparse
import ast
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from io import BufferedReader
from pathlib import Path

import psutil

from cifar import console, files, mistakes
from cifar.config import composed
from cifar.errors import nearest
from cifar.runs import manifest

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"

# A part is one or more scripts of this folder with their arguments; each is a process of its own.
PARTS: dict[str, tuple[str, ...]] = {
    "speedrun": ("speedrun.py --images 6144 --seeds 1",),
    "start": ("startup.py",),
    "processor": ("processor.py resnet18 vit_tiny airbench",),
    "waiting": ("waiting.py cnn resnet18",),
    "throughput": ("training.py cnn", "training.py resnet18 vit_tiny --turns 2", "keras_fit.py cnn --turns 2"),
    "accuracy": ("time_to_accuracy.py --turns 2",),
    "scaling": ("scaling.py",),
    "augmentation": ("augmentation.py",),
    "data": ("data_start.py",),
    "checkpoints": ("checkpoints.py",),
    "device": ("device_batches.py basic",),
}

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "timm", "keras", "tensorflow", "albumentations", "numpy")
KEPT_OF_ERROR = 15  # lines


@dataclass(frozen=True)
class Outcome:
    """Of one script."""

    command: str
    printed: str
    error: str  # the end of what it wrote to stderr, if it failed
    status: int
    seconds: float


def run(command: str) -> Outcome:
    """Run a script of this folder, shown as it goes."""
    script, *arguments = command.split()
    started = time.perf_counter()
    with (
        subprocess.Popen(
            [sys.executable, HERE / script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=HERE.parent, env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
        ) as process,
        ThreadPoolExecutor() as threads,
    ):  # fmt: skip
        assert isinstance(process.stdout, BufferedReader)
        assert isinstance(process.stderr, BufferedReader)
        printed = threads.submit(_passed_on, process.stdout, sys.stdout.fileno())
        told = threads.submit(_passed_on, process.stderr, sys.stderr.fileno())
    error = "\n".join(told.result().replace("\033[K", "").splitlines()[-KEPT_OF_ERROR:]) if process.returncode else ""
    return Outcome(command, printed.result(), error, process.returncode, time.perf_counter() - started)


def _passed_on(stream: BufferedReader, to: int) -> str:
    kept = bytearray()
    while part := stream.read1():
        kept += part
        os.write(to, part)
    return kept.decode(errors="replace")


def surroundings() -> dict[str, str]:
    """What the figures depend on."""
    found = manifest.describe()
    hardware, git = found["hardware"], found["git"]
    versions = [f"{name} {metadata.version(name)}" for name in PACKAGES]
    return {
        "Processor": hardware["cpu"],
        "Cores": str(hardware["cores"]),
        "Memory": f"{hardware['memory_bytes'] / 2**30:.1f} GiB",
        "GPU": _gpu(),
        "System": hardware["platform"],
        "Load before": f"{psutil.getloadavg()[0]:.2f} processes, the last minute's mean",
        "Versions": ", ".join([f"Python {platform.python_version()}", *versions]),
        "Commit": (git["commit"] + (", with changes" if git["diff"] else "")) if git else "none",
        "Date": found["time"],
    }


def _gpu() -> str:
    import torch  # takes seconds; a wrong part is refused before

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"


def page(facts: dict[str, str], outcomes: dict[str, list[Outcome]]) -> str:
    """Markdown: what it was run on, then each part."""
    lines = ["# Benchmarks", "", "Written by `make bench` (benchmarks/suite.py).", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {fact} |" for name, fact in facts.items()]
    for part, found in outcomes.items():
        lines += ["", f"## {part.capitalize()}"]
        for outcome in found:
            lines += _section(outcome)
    return "\n".join(lines) + "\n"


def _section(outcome: Outcome) -> list[str]:
    script = HERE / outcome.command.split()[0]
    said = (ast.get_docstring(ast.parse(script.read_text())) or "").partition("\n\n")[0].replace("\n", " ")
    lines = ["", said, f"`python benchmarks/{outcome.command}`, {outcome.seconds:.0f} s", ""]
    if outcome.status:
        lines += [f"**Failed**, exit status {outcome.status}:", "", *_fenced(outcome.error), ""]
    return [*lines, *_fenced(outcome.printed)] if outcome.printed else lines


def _fenced(text: str) -> list[str]:
    return ["```text", text.rstrip(), "```"]


def main(given: list[str]) -> int:
    """The exit status: 1 if a script failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args(given)
    for name in arguments.parts:
        if name not in PARTS:
            parser.error(f"there is no part {name}.{nearest(name, PARTS)} Allowed: {', '.join(PARTS)}.")
    output = arguments.output or (None if arguments.parts else RESULTS)
    if output and not output.parent.is_dir():
        parser.error(f"--output {output}: there is no folder {output.parent}.")
    facts = surroundings()
    console.log_to_console()
    composed().data.load()  # downloaded and parsed before anything is measured
    outcomes: dict[str, list[Outcome]] = {}
    for part in arguments.parts or PARTS:
        for command in PARTS[part]:
            print(f"==> {part}: {command}", flush=True)
            outcomes.setdefault(part, []).append(run(command))
    if output:
        with files.replaced(output) as temporary:
            temporary.write_text(page(facts, outcomes))
        print(f"==> {output}")
    failed = [o.command for found in outcomes.values() for o in found if o.status]
    if failed:
        sys.stderr.write(f"failed: {'; '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    with mistakes.reported():
        sys.exit(main(sys.argv[1:]))
