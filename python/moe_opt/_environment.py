"""What onnxruntime's users ask and set for the whole process."""

from __future__ import annotations

import platform
from typing import List

from ._errors import Error
from ._options import PROVIDER, as_int

#: Of the package and of the compiler in it, as `moe-compile --version` says it.
VERSION = "0.1.0"

_threads = 0


def get_available_providers() -> List[str]:
    """Where models can run."""
    return [PROVIDER]


def get_all_providers() -> List[str]:
    """Where models can run; the same as `get_available_providers`."""
    return [PROVIDER]


def get_device() -> str:
    """ "CPU"."""
    return "CPU"


def get_version_string() -> str:
    """The version of the package, as `__version__`."""
    return VERSION


def get_build_info() -> str:
    """One line on the package."""
    return f"moe-opt {VERSION}"


def print_debug_info() -> None:
    """Prints the versions that a report of a problem should name."""
    print(f"moe-opt {VERSION}\nPython {platform.python_version()}\n{platform.platform()}\nproviders: {', '.join(get_available_providers())}")


def has_collective_ops() -> bool:
    """False: no op of a model exchanges between processes; ranks are planned by the compiler (moe-compile --mesh)."""
    return False


def default_threads() -> int:
    """What `set_global_thread_pool_sizes` has said; 0 where it was not called."""
    return _threads


def set_global_thread_pool_sizes(intra_op_num_threads: int = 0, inter_op_num_threads: int = 0) -> None:
    """Threads that run the models of sessions with `use_per_session_threads = False`; 0 takes $MOE_NUM_THREADS, else the CPUs this process may use.

    inter_op_num_threads: without effect. Raises TypeError, Error ("bad_argument") for numbers below 0.
    """
    global _threads
    sizes = as_int(intra_op_num_threads, "intra_op_num_threads"), as_int(inter_op_num_threads, "inter_op_num_threads")
    if min(sizes) < 0:
        raise Error("bad_argument", f"expected numbers of threads of at least 0, found {sizes[0]} and {sizes[1]}")
    _threads = sizes[0]


def set_default_logger_severity(severity: int) -> None:
    """Without effect: there is no log; what is wrong is raised. Raises TypeError, Error ("bad_argument") for a number outside 0 to 4."""
    if not 0 <= as_int(severity, "the severity") <= 4:
        raise Error("bad_argument", f"expected a severity from 0 (verbose) to 4 (fatal), found {severity}")


def set_default_logger_verbosity(verbosity: int) -> None:
    """Without effect. Raises TypeError."""
    as_int(verbosity, "the verbosity")


def set_seed(seed: int) -> None:
    """Without effect: no op of a compiled model draws random numbers without a seed in its inputs (a model with ONNX's Random ops is refused). Raises
    TypeError."""
    as_int(seed, "the seed")


def enable_telemetry_events() -> None:
    """Nothing: none are sent."""


def disable_telemetry_events() -> None:
    """Nothing: none are sent."""


def preload_dlls(cuda: bool = True, cudnn: bool = True, msvc: bool = True, directory: object = None) -> None:
    """Nothing: no libraries are needed."""
