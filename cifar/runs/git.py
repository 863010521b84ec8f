"""Which commit the code is of, and what was changed since."""

import logging
import os
import subprocess
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

# Variables that lead git to another repository (it sets them for the hooks that it runs), or outdo _AS_PATCH.
_DROPPED = {
    "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_DIFF_OPTS",
}  # fmt: skip

_SETTINGS = {
    "GIT_OPTIONAL_LOCKS": "0",  # a diff refreshes the index, which jobs that start together would lock
    "GIT_NO_LAZY_FETCH": "1",  # a partial clone would ask the network for what it lacks
    "LC_ALL": "C",
}

# A patch that applies, whatever the user's config (`diff.*`) makes of a diff for reading.
_AS_PATCH = (
    "--patch", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/",
    "--submodule=short", "--ignore-submodules=dirty", "--unified=3", "--inter-hunk-context=0",
    "-O/dev/null",
)  # fmt: skip


def describe(checkout: Path) -> dict[str, Any]:
    """`commit`, `diff` (of the changes since, for `git apply`) and `untracked` (names of files that git does not know)
    of the code in `checkout`; or `unknown`, the reason why git does not say.

    Bytes of the diff that are no UTF-8 are lone surrogates: `diff.encode("utf-8", "surrogateescape")` is the patch."""
    try:
        if not _output(checkout, "ls-files", "-z", "--", "cifar"):
            top = _output(checkout, "rev-parse", "--show-toplevel").strip()
            return {"unknown": f"the repository around it, {top}, does not contain the code"}
        return {
            "commit": _output(checkout, "rev-parse", "HEAD").strip(),
            "diff": _output(checkout, "-c", "diff.relative=false", "diff", *_AS_PATCH, "HEAD"),
            "untracked": _output(checkout, "ls-files", "-z", "--others", "--exclude-standard").split("\0")[:-1],
        }
    except OSError as error:
        reason = f"git cannot be started: {error.strerror}"
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip() or f"git ended with status {error.returncode}"
    if (checkout / ".git").exists():
        log.warning("The commit and the changes since are not recorded. %s", reason)
    return {"unknown": reason}


def _output(checkout: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in _DROPPED} | _SETTINGS
    command = ["git", "-C", str(checkout), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, env=environment)
    return done.stdout.decode("utf-8", "surrogateescape")  # as it is: line ends are part of a patch
