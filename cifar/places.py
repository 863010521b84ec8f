"""Where conf/ is."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
INSTALLED = (_PACKAGE / "conf").is_dir()  # from a wheel, which has conf/ inside; a checkout has it beside
CONF = (_PACKAGE if INSTALLED else _PACKAGE.parent) / "conf"
PRIMARY = "config"  # conf/config.yaml
