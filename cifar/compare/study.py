"""A study's results, written down beside its YAML: the question, how it was answered, tables and pictures."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cifar import console
from cifar.compare import tables
from cifar.compare.statistics import BETTER, NOTHING_SHARED, TOO_FEW, UNDECIDED, WORSE
from cifar.errors import UserError, nearest
from cifar.places import CONF, INSTALLED

Report = dict[str, Any]

STUDIES = CONF / "experiments"

_SAYS = {
    BETTER: "Better than {}",
    WORSE: "Worse than {}",
    UNDECIDED: "No difference to {} that can be told",
    TOO_FEW: "Too few seeds to tell from {}",
    NOTHING_SHARED: "Nothing alike to compare with {}",
}


def record(report: Report, name: str, note: str | None) -> Path:
    """Write experiments/NAME/README.md and its pictures; returns the README. `note`: what the runs do not say of
    themselves. In the checkout, or in the current folder if the package is installed without one.

    Raises UserError if there is no such study, or none of its runs is finished."""
    questions = question(name)
    if all(group["mean"] is None for group in report["groups"]):
        raise UserError(f"--record {name}: no run is finished yet.")
    folder = (Path("experiments") if INSTALLED else STUDIES.resolve()) / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text("\n".join(_lines(report, name, questions, note)), encoding="utf-8")
    with console.optional("The study's pictures"):
        _draw(report, folder)
    return folder / "README.md"


def _draw(report: Report, folder: Path) -> None:
    from cifar import plots

    panels = _panels(report)
    plots.groups(panels, report["metric"], report["unit"] == "fraction", folder / "results.png")
    plots.group_curves(_curves(report, panels), folder / "curves.png")


def question(name: str) -> dict[str, list[str]]:
    """What the head of a study's YAML says, by its words: Question, Command, …, in lines. Raises UserError."""
    path = STUDIES / f"{name}.yaml"
    if not path.exists():
        there = sorted(path.stem for path in STUDIES.glob("*.yaml"))
        raise UserError(
            f"--record {name}: there is no such study.{nearest(name, there)} There are: {', '.join(there)}."
        )
    found: dict[str, list[str]] = {}
    head = path.read_text(encoding="utf-8").splitlines()
    for line in head[2:]:  # after the schema and the package
        if not (comment := re.match(r"#(?: (\w+)  +|  +)(\S.*)", line)):
            break
        word = comment[1] or next(reversed(found), "")
        found.setdefault(word, []).append(comment[2])
    if "Question" not in found:
        raise UserError(f"--record {name}: {path} does not begin with `# Question   …`; see the other studies.")
    return found


def _lines(report: Report, name: str, questions: dict[str, list[str]], note: str | None) -> Iterator[str]:
    yield f"# {name}"
    yield ""
    yield f"**{' '.join(questions['Question'])}**"
    yield ""
    yield from _findings(report)
    yield ""
    yield "![What each group reached: a dot a run, the mean and its 95% interval](results.png)"
    yield ""
    yield tables.markdown(report)
    yield "![Validation accuracy by epoch: the mean of each group, and the range of its seeds](curves.png)"
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| Command | {'<br>'.join(f'`{line}`' for line in questions.get('Command', []))} |"
    yield f"| Scale | {' '.join(questions.get('Scale', ['full']))} |"
    for word, facts in report["origin"].items():
        yield f"| {word} | {', '.join(facts)} |"
    if note:
        yield f"| Note | {note.replace('|', '/')} |"
    yield ""
    yield f"Written by `cifar compare RUNS --record {name}`; configuration: [{name}.yaml](../{name}.yaml)."
    yield ""


def _findings(report: Report) -> Iterator[str]:
    """A line for each verdict: the groups that it was given to, the largest difference first."""
    against = report["baseline_choice"]
    for verdict, says in _SAYS.items():
        judged = [g for g in report["groups"] if g["difference"] and g["difference"]["verdict"] == verdict]
        if judged:
            judged.sort(key=lambda group: -abs(group["difference"]["mean"] or 0))
            yield f"- {says.format(against)}: {'; '.join(_finding(report, group) for group in judged)}."


def _finding(report: Report, group: dict[str, Any]) -> str:
    difference = group["difference"]
    if difference["mean"] is None:
        return str(group["label"])
    return f"{group['label']} ({', '.join([tables.signed(report, difference['mean']), *tables.caveats(difference)])})"


def _panels(report: Report) -> dict[str, list[dict[str, Any]]]:
    """Groups that are held against one another, by what they share."""
    baseline = [part.partition("=")[0] for part in report["baseline_choice"].split(",")]
    varied = set(baseline if report["baseline_choice"] else report["varying"])
    panels: dict[str, list[dict[str, Any]]] = {}
    for group in report["groups"]:
        shared = ", ".join(value for key, value in group["choices"].items() if key not in varied)
        rest = ", ".join(value for key, value in group["choices"].items() if key in varied)
        values = [run["value"] for i in group["runs"] if (run := report["runs"][i])["value"] is not None]
        if values:
            entry = {"label": rest or group["label"], "values": values, "mean": group["mean"], "ci": group["ci"]}
            panels.setdefault(shared, []).append(entry | {"runs": group["runs"]})
    return panels


def _curves(report: Report, panels: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Sequence[Any]]]:
    return {
        title: {
            entry["label"]: [report["runs"][i]["metrics"]["val/acc"] for i in entry["runs"]] for entry in entries
        }
        for title, entries in panels.items()
    }  # fmt: skip
