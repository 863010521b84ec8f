"""The report page of a comparison: one HTML file that needs nothing else, put together from the parts in page/."""

import json
import math
import re
from pathlib import Path
from typing import Any

from cifar import files
from cifar.errors import UserError

PARTS = Path(__file__).parent / "page"


def write(report: dict[str, Any], path: Path) -> None:
    """Write the page that shows `report` to `path`, all or nothing. Raises UserError if it cannot be written there.

    A number that is not finite (the loss of a run that diverged) is shown as missing."""
    text = _filled(report)
    try:
        with files.replaced(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}); name a file in a folder that exists.") from None


def _filled(report: dict[str, Any]) -> str:
    """page.html with every {{PART}} replaced by that file's text, and {{report}} by the report."""

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
