"""The build backend of pyproject.toml (PEP 517): builds the release preset and packs what a user needs of it. docs/Rationale/Python.md says why
there is one of our own.

    moe_opt/*.py            the package
    moe_opt/bin/            moe-compile, moe-codegen-worker, moe-run, stripped
    moe_opt/lib/            the archives that become part of every model.so, and the shared libraries that the tools need: LLVM, MLIR and what
                            these need in turn, but for the C and C++ libraries, which every system has
    *.dist-info/licenses/   the licence of each package that a shared library is from

Wheels run on systems whose glibc is that of the machine that built them, or newer; the tag says so.
"""

from __future__ import annotations

import base64
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import tempfile
import zipfile
from typing import Any, Dict, List, Optional

try:
    import tomllib
except ImportError:  # Before Python 3.11.
    import tomli as tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
TOOLS = ["moe-compile", "moe-codegen-worker", "moe-run"]
ARCHIVES = ["libMoeRuntime.a", "libMoeMachine.a"]
# Part of every Linux system that has a C++ program; a second copy of them in one process does harm.
OF_THE_SYSTEM = re.compile(r"^(linux-vdso|ld-linux.*|lib(c|m|dl|rt|pthread|resolv|stdc\+\+|gcc_s))\.so")


def _run(*command: str) -> str:
    """The standard output of a command; its errors go to the user. Raises CalledProcessError."""
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def _shared_libraries(program: pathlib.Path) -> Dict[str, pathlib.Path]:
    """Name and file of every shared library that a program needs, directly or not, and that the system may lack."""
    found = {}
    for line in _run("ldd", str(program)).splitlines():
        name, _, rest = line.strip().partition(" => ")
        if OF_THE_SYSTEM.match(os.path.basename(name.split(" ")[0])):
            continue
        path = pathlib.Path(rest.split(" (")[0])
        if not path.is_file():
            raise RuntimeError(f"{program}: expected a file for the shared library {name}, found '{line.strip()}'")
        found[name] = path.resolve()
    return found


def _licences(libraries: List[pathlib.Path]) -> Dict[str, pathlib.Path]:
    """The licence texts of the system's packages that the libraries are from, by package."""
    packages = set()
    for path in libraries:
        # A file may be listed where the system had it before /lib was one with /usr/lib.
        names = [str(path), str(path).replace("/usr/lib/", "/lib/", 1)]
        owners = subprocess.run(["dpkg-query", "-S", *names], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        if not owners:
            raise RuntimeError(f"no package has {path}, whose licence must go into the wheel")
        packages.add(owners.split(":")[0])
    return {package: pathlib.Path("/usr/share/doc", package, "copyright") for package in sorted(packages)}


def _tag() -> str:
    """The wheel's tag: any Python 3, this machine's architecture, this glibc or a newer one."""
    name, version = platform.libc_ver()
    if name != "glibc":
        raise RuntimeError(f"expected to build on glibc, found {name or 'another C library'}")
    return f"py3-none-manylinux_{version.replace('.', '_')}_{platform.machine()}"


def _version() -> str:
    found = re.search(r"project\(moe-opt VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())
    if not found:
        raise RuntimeError("expected `project(moe-opt VERSION ...)` in CMakeLists.txt, found none")
    return found[1]


def _metadata(project: Dict[str, Any]) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {_version()}", f"Summary: {project['description']}",
             f"Requires-Python: {project['requires-python']}"]
    lines += [f"Requires-Dist: {name}" for name in project["dependencies"]]
    for extra, names in project["optional-dependencies"].items():
        lines += [f"Provides-Extra: {extra}"] + [f"Requires-Dist: {name}; extra == '{extra}'" for name in names]
    return "\n".join(lines + ["Description-Content-Type: text/markdown", "", (ROOT / project["readme"]).read_text()])


class _Wheel:
    """A wheel being written, with its list of hashes."""

    def __init__(self, path: pathlib.Path):
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self._record: List[str] = []

    def add(self, name: str, data: bytes, executable: bool = False) -> None:
        # A fixed time: the same inputs give the same wheel.
        entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
        entry.external_attr = (0o100755 if executable else 0o100644) << 16
        self._zip.writestr(entry, data, zipfile.ZIP_DEFLATED)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        self._record.append(f"{name},sha256={digest},{len(data)}")

    def close(self, record: str) -> None:
        self._zip.writestr(zipfile.ZipInfo(record, (2020, 1, 1, 0, 0, 0)), "\n".join(self._record + [f"{record},,", ""]), zipfile.ZIP_DEFLATED)
        self._zip.close()


def _add_package(wheel: _Wheel) -> List[pathlib.Path]:
    """Adds the package with its binaries; gives the shared libraries that are not ours."""
    sources = ROOT / "python"
    for path in sorted(sources.glob("moe_opt/**/*")):
        if path.suffix == ".py" or path.name == "py.typed":
            wheel.add(str(path.relative_to(sources)), path.read_bytes())
    libraries: Dict[str, pathlib.Path] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in TOOLS:
            stripped = pathlib.Path(scratch, name)
            shutil.copyfile(BUILD / "bin" / name, stripped)
            _run("llvm-strip-22", str(stripped))
            wheel.add(f"moe_opt/bin/{name}", stripped.read_bytes(), executable=True)
            libraries.update(_shared_libraries(BUILD / "bin" / name))
    for name in ARCHIVES:
        wheel.add(f"moe_opt/lib/{name}", (BUILD / "lib" / name).read_bytes())
    for name, path in sorted(libraries.items()):
        wheel.add(f"moe_opt/lib/{name}", path.read_bytes())
    return sorted(libraries.values())


def build_wheel(wheel_directory: str, config_settings: Optional[Dict[str, Any]] = None, metadata_directory: Optional[str] = None) -> str:
    """Builds a wheel into a folder and gives its name (PEP 517). The preset's tree is reused where it is there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # The tests' Python is found by CMake, and must not be that of the build's own environment, which goes away.
    _run("cmake", "--preset", "release")
    _run("cmake", "--build", "--preset", "release", "--target", *TOOLS)
    stem = f"{project['name'].replace('-', '_')}-{_version()}"
    info, tag = f"{stem}.dist-info", _tag()
    name = f"{stem}-{tag}.whl"
    wheel = _Wheel(pathlib.Path(wheel_directory, name))
    libraries = _add_package(wheel)
    wheel.add(f"{info}/METADATA", _metadata(project).encode())
    wheel.add(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: moe-opt\nRoot-Is-Purelib: false\nTag: {tag}\n".encode())
    scripts = "".join(f"{command} = {target}\n" for command, target in project["scripts"].items())
    wheel.add(f"{info}/entry_points.txt", f"[console_scripts]\n{scripts}".encode())
    wheel.add(f"{info}/licenses/LICENSE", (ROOT / "LICENSE").read_bytes())
    for package, path in _licences(libraries).items():
        wheel.add(f"{info}/licenses/{package}", path.read_bytes())
    wheel.close(f"{info}/RECORD")
    return name


def build_sdist(sdist_directory: str, config_settings: Optional[Dict[str, Any]] = None) -> str:
    """Packs what the last commit holds (PEP 517)."""
    stem = f"moe_opt-{_version()}"
    name = f"{stem}.tar.gz"
    _run("git", "archive", f"--prefix={stem}/", f"--output={pathlib.Path(sdist_directory, name).resolve()}", "HEAD")
    return name
