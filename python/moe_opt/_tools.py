"""The commands that a wheel installs: each becomes the program of its name in the package."""

import os
import sys

from ._compile import find_tool
from ._errors import Error


def _become(name: str) -> int:
    """Runs a tool in place of this process, with its arguments. Comes back only where there is none."""
    try:
        path = find_tool(name)
        os.execv(path, [name, *sys.argv[1:]])
    except (Error, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
    return 2


def moe_compile() -> int:
    """moe-compile."""
    return _become("moe-compile")


def moe_run() -> int:
    """moe-run."""
    return _become("moe-run")
