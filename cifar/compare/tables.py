"""A report as text: tables for the console and for Markdown, and CSV."""

import csv
import io
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WIDTH = 100  # columns of the console
SHOWN = 10  # entries of a list; the page has them all

Report = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A row a group: its choices, then its figures."""

    title: str
    choices: list[str]  # headers
    figures: list[str]
    rows: list[tuple[str, list[str], list[str]]]  # label, choices, figures


def console(report: Report) -> str:
    """What the terminal shows."""
    parts = [f"{table.title}\n\n{_aligned(table)}" for table in _tables(report)]
    parts += [_bullets(title, lines) for title, lines in _lists(report).items()]
    parts.append(textwrap.fill(report["methods"], WIDTH))
    return "\n\n".join(parts) + "\n"


def evaluations(report: Report, prefix: str = "") -> str:
    """What `cifar evaluate` measured of each group, and how it differs from the baseline; of the figures whose names
    begin with `prefix`."""
    table = _evaluations(report, prefix)
    return f"{table.title}\n\n{_aligned(table)}\n" if table.rows else ""


def markdown(report: Report) -> str:
    """The same for a README or an issue."""
    parts = [f"### {table.title}\n\n{_piped(table)}" for table in _tables(report)]
    parts += [f"{title}:\n\n" + "\n".join(f"- {line}" for line in lines) for title, lines in _lists(report).items()]
    return "\n\n".join([*parts, report["methods"]]) + "\n"


def comma_separated(report: Report) -> str:
    """A row a group, in full precision; a value that there is not is left empty."""
    rows = [_csv_row(report, group) for group in report["groups"]]
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def signed(report: Report, value: float) -> str:
    """A difference in the metric: `+1.20`."""
    return _notation(report)(value, "+")


def caveats(difference: dict[str, Any]) -> list[str]:
    """What the difference is of, if that is not all of both groups, and what else the two differ in."""
    used, left_out = difference["used"] + difference["baseline_used"], difference["left_out"]
    parts = []
    if used and left_out:
        parts.append(f"in {used} of {used + left_out} runs")
    if difference["own"]:
        parts.append(f"each over its own {', '.join(difference['own'])}")
    if used and (differing := difference["differing"]):
        parts.append(f"which also differ in {', '.join(differing)}")
    return parts


def _csv_row(report: Report, group: dict[str, Any]) -> dict[str, Any]:
    difference = group["difference"] or {}
    mean, base_mean = difference.get("means") or (None, None)
    low, high = group["ci"] or (None, None)
    difference_low, difference_high = difference.get("ci") or (None, None)
    base = group["baseline"]
    return {
        "group": group["label"],
        **group["choices"],
        "metric": report["metric"],
        "runs": len(_counted(report, group)),
        "seeds": group["seeds"],
        "mean": group["mean"],
        "sd": group["sd"],
        "ci_low": low,
        "ci_high": high,
        "sampling_error": group["sampling_error"],
        "baseline": None if base is None else report["groups"][base]["label"],
        "compared_mean": mean,
        "compared_baseline_mean": base_mean,
        "difference": difference.get("mean"),
        "difference_ci_low": difference_low,
        "difference_ci_high": difference_high,
        "p_holm": difference.get("p"),
        "pairs": difference.get("pairs"),
        "compared_runs": difference.get("used"),
        "compared_baseline_runs": difference.get("baseline_used"),
        "left_out_runs": difference.get("left_out"),
        "verdict": difference.get("verdict"),
        "seeds_needed": difference.get("seeds_needed"),
        **{name: group[name] for name in ("seconds", "images_per_second", "peak_memory_bytes", "parameters")},
    }


# ------------------------------------------------------------------------------------------------ content
def _tables(report: Report) -> list[Table]:
    compared = any(group["difference"] for group in report["groups"])
    found = [_results(report), *([_differences(report)] if compared else [])]
    return [*found, *([_evaluations(report)] if report["evaluations"] else [])]


def _results(report: Report) -> Table:
    """What each group reached, and what it cost."""
    number = _notation(report)
    percent = " %" if report["unit"] == "fraction" else ""
    headers = ["seeds", report["metric"] + percent, "95% interval", "seconds", "images/s", "memory", "parameters"]
    rows = []
    for group in report["groups"]:
        spread = " (uneven)" if group["uneven"] else "" if group["sd"] is None else f" ± {number(group['sd'])}"
        memory = group["peak_memory_bytes"]
        figures = [
            _seeds(report, group),
            "-" if group["mean"] is None else number(group["mean"]) + spread,
            _interval(group["ci"], number),
            _figures(group["seconds"]),
            _figures(group["images_per_second"]),
            "-" if memory is None else f"{memory / 2**20:,.0f} MiB",
            "-" if group["parameters"] is None else f"{group['parameters']:,.0f}",
        ]
        rows.append((group["label"], _choices(group), figures))
    return Table(f"{report['metric']} by {report['title']}", _choice_headers(report), headers, rows)


def _differences(report: Report) -> Table:
    """How each group differs from its baseline, and whether that can be told."""
    number = _notation(report)
    rows = []
    for group in report["groups"]:
        if (difference := group["difference"]) is None:
            continue
        figures = [
            *(["-", "-", "-"] if difference["mean"] is None else _compared(difference, number)),
            _interval(difference["ci"], lambda value: number(value, "+")),
            _p(difference["p"]),
            str(difference["pairs"]) if difference["paired"] else "-",
            ", ".join([difference["verdict"], *caveats(difference)]),
            "-" if difference["seeds_needed"] is None else f"{difference['seeds_needed']:,}",
        ]
        rows.append((group["label"], _choices(group), figures))
    headers = ["mean", "baseline", "diff.", "95% interval", "p", "pairs", "verdict", "needed"]
    return Table(f"Difference to {report['baseline_choice']}", _choice_headers(report), headers, rows)


def _evaluations(report: Report, prefix: str = "") -> Table:
    """A row for each figure and group. Fractions are in percent."""
    rows = []
    for figure in report["evaluations"]:
        if not figure["metric"].startswith(prefix):
            continue
        number = _number(*((100.0, 2) if figure["unit"] == "fraction" else (1.0, 4)))
        name = figure["metric"] + (" %" if figure["unit"] == "fraction" else "")
        for group, entry in zip(report["groups"], figure["groups"], strict=True):
            if entry["mean"] is None:
                continue
            difference = entry["difference"] or {}
            gap = difference.get("mean")
            figures = [
                str(entry["seeds"]),
                number(entry["mean"]) + ("" if entry["sd"] is None else f" ± {number(entry['sd'])}"),
                _interval(entry["ci"], number),
                "-" if gap is None else number(gap, "+"),
                _p(difference.get("p")),
                difference.get("verdict", "-"),
            ]
            rows.append((f"{name}, {group['label']}", [name, group["label"]], figures))
    headers = ["seeds", "mean", "95% interval", "diff.", "p", "verdict"]
    return Table("Evaluations", ["figure", "group"], headers, rows)


def _compared(difference: dict[str, Any], number: Callable[..., str]) -> list[str]:
    """The two means, of the runs that compare, and what they differ by."""
    return [*map(number, difference["means"]), number(difference["mean"], "+")]


def _choice_headers(report: Report) -> list[str]:
    return report["varying"] or ["group"]


def _choices(group: dict[str, Any]) -> list[str]:
    return list(group["choices"].values()) or [group["label"]]


def _seeds(report: Report, group: dict[str, Any]) -> str:
    """`3`; `3 of 5` while not all are finished; `3 (6 runs)` if several of a seed are pooled."""
    counted, there = len(_counted(report, group)), len(group["runs"])
    count = str(counted) if counted == there else f"{counted} of {there}"
    return f"{group['seeds']} ({count} runs)" if report["pooled"] else count


def _counted(report: Report, group: dict[str, Any]) -> list[dict[str, Any]]:
    return [run for index in group["runs"] if (run := report["runs"][index])["value"] is not None]


def _lists(report: Report) -> dict[str, list[str]]:
    """What is told in sentences, by heading; only what there is."""
    lists = {
        "Image by image": _image_by_image(report),
        "Not finished": _unfinished(report),
        "Warnings": report["warnings"],
        "Left out": [f"{entry['path']}: {entry['reason']}" for entry in report["left_out"]],
    }
    return {title: _shortened(lines) for title, lines in lists.items() if lines}


def _image_by_image(report: Report) -> list[str]:
    if (test := report["mcnemar"]) is None:
        return []
    return [
        f"{test['only_a']:,} test images only {test['a']} got right, {test['only_b']:,} only {test['b']}; McNemar's "
        f"exact test: p = {_p(test['p'])}, of these two trained networks, not of what they were trained with."
    ]


def _unfinished(report: Report) -> list[str]:
    """The runs that failed, and how far the others are where that can be said in the metric."""
    lines = []
    for run in report["runs"]:
        if run["reason"] or run["so_far"] is not None:
            so_far = "" if run["so_far"] is None else f", {report['metric']} {_notation(report)(run['so_far'])} so far"
            reason = f". {' '.join(str(run['reason']).split())}" if run["reason"] else ""
            epochs = "not known (metrics.csv cannot be read)" if run["epoch"] is None else run["epoch"]
            lines.append(f"{run['name']}: {run['state']}, epochs done: {epochs}{so_far}{reason}")
    return lines


def _shortened(lines: list[str]) -> list[str]:
    return lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"… and {len(lines) - SHOWN} more"]


# ------------------------------------------------------------------------------------------------ numbers
def _notation(report: Report) -> Callable[..., str]:
    """How values of the metric are written: percent with two decimals, else four digits of the largest mean."""
    scale, decimals = 100.0, 2
    if report["unit"] == "plain":
        means = [abs(group["mean"]) for group in report["groups"] if group["mean"]]
        scale, decimals = 1.0, min(8, max(0, 3 - math.floor(math.log10(max(means, default=1)))))

    return _number(scale, decimals)


def _number(scale: float, decimals: int) -> Callable[..., str]:
    def number(value: float, sign: str = "") -> str:
        rounded = round(value * scale, decimals) + 0.0  # no -0.00
        return f"{rounded:{sign},.{decimals}f}"

    return number


def _figures(value: float | None) -> str:
    """Three digits of something that is not compared."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _interval(interval: list[float] | None, number: Callable[[float], str]) -> str:
    return "-" if interval is None else f"{number(interval[0])} … {number(interval[1])}"


def _p(p: float | None) -> str:
    if p is None:
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


# ------------------------------------------------------------------------------------------------ layout
def _aligned(table: Table) -> str:
    """Columns of equal width. If that is too wide, each group's choices have a line of their own."""
    lines = [[*table.choices, *table.figures], *([*choices, *figures] for _, choices, figures in table.rows)]
    text = _columns(lines, len(table.choices))
    if max(map(len, text)) <= WIDTH:
        return "\n".join(text)
    head, *rest = _columns([table.figures, *(figures for _, _, figures in table.rows)], 0)
    pairs = [f"{label}\n  {line}" for (label, _, _), line in zip(table.rows, rest, strict=True)]
    return "\n".join([f"  {head}", *pairs])


def _columns(lines: list[list[str]], words: int) -> list[str]:
    """Numbers to the right; the first `words` columns, and the verdict, to the left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = {*range(words), *(i for i, header in enumerate(lines[0]) if header == "verdict")}
    return [
        "  ".join(f"{cell:{'<' if i in left else '>'}{widths[i]}}" for i, cell in enumerate(line)).rstrip()
        for line in lines
    ]


def _bullets(title: str, lines: list[str]) -> str:
    wrapped = [
        textwrap.fill(
            line,
            WIDTH,
            initial_indent="- ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines
    ]
    return "\n".join([f"{title}:", *wrapped])


def _piped(table: Table) -> str:
    lines = [[*table.choices, *table.figures], *([*choices, *figures] for _, choices, figures in table.rows)]
    rule = ["---"] * len(table.choices) + ["---:"] * len(table.figures)
    cells = [[cell.replace("|", "\\|") for cell in line] for line in [lines[0], rule, *lines[1:]]]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
