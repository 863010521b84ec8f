"""The report page of a comparison: one HTML file that needs nothing else, put together from the parts in page/."""

import json
import math
import re
from pathlib import Path
from typing import Any

PARTS = Path(__file__).parent / "page"


def text(report: dict[str, Any]) -> str:
    """The page that shows `report`: page.html with every {{PART}} replaced by that file's text, and {{report}} by the
    report. A number that is not finite (the loss of a run that diverged) is shown as missing."""

    def part(match: re.Match[str]) -> str:
        return _script_safe(report) if match[1] == "report" else (PARTS / match[1]).read_text(encoding="utf-8")

    return re.sub(r"\{\{([\w.]+)\}\}", part, (PARTS / "page.html").read_text(encoding="utf-8"))


def _script_safe(report: dict[str, Any]) -> str:
    """JSON that can stand inside <script>: no text in it can end the element or open a comment."""
    return json.dumps(_brief(report), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _brief(value: Any) -> Any:
    """`value` with numbers of six digits, more than the page shows: half the file's size."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _brief(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_brief(entry) for entry in value]
    return value
