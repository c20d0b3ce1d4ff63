# The lit suite: every .mlir, .test and .py below test/ with a RUN line, except Inputs and Unit (GoogleTest).
import os
import shutil
import subprocess

import lit.formats

config.name = "moe-opt"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "Unit", "CMakeLists.txt", "lit.cfg.py", "lit.site.cfg.py"]
config.test_source_root = os.path.join(config.moe_source_root, "test")
config.test_exec_root = os.path.join(config.moe_build_root, "test")

path = [os.path.join(config.moe_build_root, "bin"), config.llvm_tools_dir, config.environment["PATH"]]
config.environment["PATH"] = os.pathsep.join(path)
config.environment["FILECHECK_OPTS"] = "-enable-var-scope --dump-input-filter=all"
config.environment["PYTHONPATH"] = os.path.join(config.moe_build_root, "python")

config.substitutions.append(("%inputs", os.path.join(config.test_source_root, "Inputs")))
# Code that the worker made before (lib/Codegen/CPU/ObjectCache.h); tools/check sets it, so that no model is compiled to the same code twice.
if "MOE_OBJECT_CACHE" in os.environ:
    config.environment["MOE_OBJECT_CACHE"] = os.environ["MOE_OBJECT_CACHE"]
# %fixtures: the big fixtures beside the project, used in place; tests that need them say `REQUIRES: fixtures`.
fixtures = os.environ.get("MOE_FIXTURES", os.path.join(config.moe_source_root, "..", "shared", "fixtures", "onnx"))
if os.path.isdir(fixtures):
    config.available_features.add("fixtures")
    config.substitutions.append(("%fixtures", os.path.abspath(fixtures)))
if config.moe_sanitize:
    config.available_features.add("sanitizers")
# %models: models made without the compiler (test/Runtime/CMakeLists.txt).
config.substitutions.append(("%models", os.path.join(config.moe_build_root, "test", "Runtime", "models")))
config.substitutions.append(("%source", config.moe_source_root))
config.substitutions.append(("%build", config.moe_build_root))
config.substitutions.append(("%runtime-archive", os.path.join(config.moe_build_root, "lib", "libMoeRuntime.a")))
config.substitutions.append(("%cc", config.c_compiler))
config.substitutions.append(("%python", config.python or "python3"))

# Tests that compare with a package, or use it, need it in the Python that runs them.
for feature, modules in {"python-onnx": ["onnx", "ml_dtypes"], "python-onnxruntime": ["onnx", "onnxruntime"], "python-mypy": ["mypy"],
                         "python-ortools": ["ortools"]}.items():
    check = f"import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in {modules}))"
    if subprocess.run([config.python or "python3", "-c", check], check=False).returncode == 0:
        config.available_features.add(feature)

# The unit tests of the planner print what pages are made of; they are built by a target of their own.
if os.path.exists(os.path.join(config.moe_build_root, "test", "Unit", "bin", "moe-unit-plan")):
    config.available_features.add("unit-plan")

# %ptxas, %nvdisasm: NVIDIA's assembler and disassembler ($MOE_PTXAS, $MOE_NVDISASM, $PATH). Tests give them to moe-compile by name, so that only those
# wait for machine code that are about it. fatbinary lies beside ptxas.
for tool in ["ptxas", "nvdisasm"]:
    found = os.environ.get("MOE_" + tool.upper()) or shutil.which(tool)
    if found:
        config.available_features.add(tool)
        config.substitutions.append(("%" + tool, found))

# %mpiexec: a launcher of MPI that starts several processes on this machine: $MOE_MPIEXEC, one of $PATH, or one beside the Python that runs the tests
# (the package mpich of PyPI). Tests that need it say `REQUIRES: mpi`.
launchers = [os.environ.get("MOE_MPIEXEC"), shutil.which("mpiexec"), os.path.join(os.path.dirname(config.python or ""), "mpiexec")]
for launcher in filter(None, launchers):
    try:
        answer = subprocess.run([launcher, "-n", "2", "echo", "rank"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        continue
    if answer.stdout.split() == ["rank", "rank"]:
        config.available_features.add("mpi")
        config.substitutions.append(("%mpiexec", launcher))
        # The MPI library lies beside its launcher.
        config.environment["PATH"] += os.pathsep + os.path.dirname(launcher)
        break
