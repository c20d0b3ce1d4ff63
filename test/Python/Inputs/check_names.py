"""The names of onnxruntime beside those of moe_opt: check_names.py [--break].

Goes through the module, its classes and the exceptions. What moe_opt lacks is in MISSING with the reason, what it calls otherwise in OTHER. With --break
some things are made wrong first, for the test of this test.
"""

import inspect
import re
import sys
import warnings

import numpy as np
import onnxruntime
import onnxruntime.capi.onnxruntime_pybind11_state as their_state
from onnx import TensorProto, helper

import moe_opt
import moe_opt.capi.onnxruntime_pybind11_state as our_state

CLASSES = ("InferenceSession", "SessionOptions", "RunOptions", "IOBinding", "OrtValue", "NodeArg", "ModelMetadata", "OrtDevice")
ENUMERATIONS = ("GraphOptimizationLevel", "ExecutionMode", "ExecutionOrder")

DEVICES = "describes devices of plugins; models run on the CPU alone"
ALLOCATORS = "sets up allocators; a compiled model's memory is planned when it is compiled"
EP_CONTEXT = "for providers that compile; a compiled model is an artifact of its own"
MISSING = {
    "moe_opt": {
        **{name: DEVICES for name in ("OrtDeviceMemoryType", "OrtDeviceVendorId", "OrtEpAssignedNode", "OrtEpAssignedSubgraph", "OrtEpDevice",
                                      "OrtExecutionProviderDevicePolicy", "OrtHardwareDevice", "OrtHardwareDeviceType", "OrtMemoryInfoDeviceType", "OrtSyncStream",
                                      "get_ep_devices", "register_execution_provider_library", "unregister_execution_provider_library")},
        **{name: ALLOCATORS for name in ("OrtAllocatorType", "OrtArenaCfg", "OrtMemType", "OrtMemoryInfo", "create_and_register_allocator",
                                         "create_and_register_allocator_v2")},
        **{name: EP_CONTEXT for name in ("ModelCompiler", "OrtCompileApiFlags", "OrtEpContextData", "OrtEpContextDataBuffer", "OrtExternalInitializerInfo")},
        **{name: "adapters (LoRA) are weights of a run; here weights are compiled in" for name in ("AdapterFormat", "LoraAdapter")},
        **{name: "no input or output of a model that compiles is sparse" for name in ("SparseTensor", "OrtSparseFormat")},
        **{name: "names the package of another project" for name in ("package_name", "version", "cuda_version", "import_capi_exception", "onnxruntime_validation",
                                                                      "contextlib")},
        "SessionIOBinding": "the C++ half of IOBinding; there is one half here",
    },
    "InferenceSession": {
        **{name: DEVICES for name in ("get_input_epdevices", "get_input_memory_infos", "get_output_memory_infos", "get_provider_graph_assignment_info",
                                      "set_ep_dynamic_options")},
        "run_with_ortvaluevector": "takes vectors of a type of C++; run_with_ort_values takes lists",
        "set_tuning_results": "nothing is tuned at run time",
    },
    "SessionOptions": {
        **{name: DEVICES for name in ("add_provider_for_devices", "set_provider_selection_policy", "set_provider_selection_policy_delegate")},
        **{name: EP_CONTEXT for name in ("clear_ep_context_data_read_func", "set_ep_context_data_read_func")},
        "add_external_initializers_from_files_in_memory": "give the path of the model, or the tensors themselves to add_external_initializers",
        "set_load_cancellation_flag": "compiling is a process of its own, which ends with the thread's KeyboardInterrupt",
    },
    "OrtValue": {"ort_value_from_sparse_tensor": "there are no sparse tensors"},
    "exceptions": {name: "names a failure that compiled models do not have" for name in
                   ("DeviceReset", "EngineError", "ModelLoadCanceled", "ModelLoaded", "ModelRequiresCompilation", "NoModel", "NotFound")},
}
# Parameters that are named or kept otherwise, with the reason.
OTHER = {
    "IOBinding.__init__": "the same parameter",
    "OrtDevice.__init__": "made by make alone, where onnxruntime wraps an object of C++",
    "NodeArg.__init__": "made by sessions; onnxruntime has no constructor",
    "ModelMetadata.__init__": "made by sessions; onnxruntime has no constructor",
    "SessionOptions.__init__": "takes options as keyword arguments besides",
    "RunOptions.__init__": "takes options as keyword arguments besides",
}

problems = []
counts = {"names": 0, "signatures": 0, "calls": 0}


def public(thing):
    return [name for name in dir(thing) if not name.startswith("_")]


def compare_names(title, theirs, ours, names):
    missing = MISSING.get(title, {})
    prefix = "" if title == "moe_opt" else f"{title}."
    for name in names:
        counts["names"] += 1
        if name in missing and name in ours:
            problems.append(f"{prefix}{name}: listed as missing, but it is there")
        elif name not in ours and name not in missing:
            problems.append(f"{prefix}{name}: onnxruntime has it, moe_opt has not")
    for name in set(missing) - set(names):
        problems.append(f"{prefix}{name}: listed as missing, but onnxruntime has no such name")


def parameters(function):
    """["name", "name=default"] without self; of a function of C++ from its docstring, where arg0 has no name. None where nothing is known."""
    try:
        found = list(inspect.signature(function).parameters.values())
        return [f"*{p.name}" if p.kind is p.VAR_POSITIONAL else f"**{p.name}" if p.kind is p.VAR_KEYWORD else
                p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in found if p.name != "self"]
    except (TypeError, ValueError):
        match = re.match(r"\w+\((.*)\) -> ", (function.__doc__ or "").strip())
    if not match:
        return None
    # Commas inside of brackets belong to a type.
    parts, depth = [""], 0
    for character in match[1]:
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    parts = [re.sub(r"\s*:[^=]*", "", part.strip()).replace(" ", "") for part in parts if part.strip()]
    return [part for part in parts if part != "self"]


def compare_signature(title, theirs, ours):
    expected, found = parameters(theirs), parameters(ours)
    if expected is None or found is None or title in OTHER:
        return
    counts["signatures"] += 1
    fits = len(found) >= len(expected) and all("=" in extra or extra.startswith("*") for extra in found[len(expected):])
    for one, other in zip(expected, found):
        fits = fits and (one == other or (re.fullmatch(r"arg\d+", one) is not None and not other.startswith("*")))
    if not fits:
        problems.append(f"{title}: expected the parameters {expected}, found {found}")


def check_class(name):
    theirs, ours = getattr(onnxruntime, name), getattr(moe_opt, name)
    compare_names(name, theirs, public(ours) + list(getattr(ours, "__dataclass_fields__", {})), public(theirs))
    compare_signature(f"{name}.__init__", theirs.__init__, ours.__init__)
    for member in public(theirs):
        one, other = getattr(theirs, member), getattr(ours, member, None)
        if callable(one) and callable(other) and not inspect.isclass(one):
            compare_signature(f"{name}.{member}", one, other)


def check_enumeration(name):
    theirs, ours = getattr(onnxruntime, name), getattr(moe_opt, name)
    compare_names(name, theirs, public(ours) + ["name", "value"], public(theirs))
    for member, value in theirs.__members__.items():
        if int(getattr(ours, member)) != int(value) or getattr(ours, member).name != value.name:
            problems.append(f"{name}.{member}: expected {int(value)}, found {getattr(ours, member)!r}")


def refusal(action):
    """The kinds of exception that a user may catch: builtin classes, and onnxruntime's by name."""
    try:
        action()
    except Exception as error:
        return {kind.__name__ for kind in type(error).__mro__} & {"TypeError", "AttributeError", "ValueError", "RuntimeError", "Fail", "InvalidArgument",
                                                                "NoSuchFile", "InvalidProtobuf"}
    return None


def compare_refusals(title, theirs, ours):
    """What moe_opt raises is caught by all that catches what onnxruntime raises."""
    expected, found = refusal(theirs), refusal(ours)
    if (expected is None) != (found is None) or (expected is not None and not expected <= found):
        problems.append(f"{title}: expected {expected}, found {found}")


def check_options(name):
    """Defaults, and what is not taken."""
    theirs, ours = getattr(onnxruntime, name), getattr(moe_opt, name)
    for member in public(theirs):
        default = getattr(theirs(), member)
        if callable(default):
            continue
        if default != getattr(ours(), member) and int(default) != int(getattr(ours(), member)):
            problems.append(f"{name}.{member}: expected the default {default!r}, found {getattr(ours(), member)!r}")
        for value in ("text", 1, 2.5, 2**40, None, True, [], np.int64(3), np.bool_(True)):
            compare_refusals(f"{name}.{member} = {value!r}", lambda: setattr(theirs(), member, value), lambda: setattr(ours(), member, value))
    compare_refusals(f"{name}.no_such_option", lambda: setattr(theirs(), "no_such_option", 1), lambda: setattr(ours(), "no_such_option", 1))
    compare_refusals(f"{name}(3)", lambda: theirs(3), lambda: ours(3))


def model(ir_version=10):
    nodes = [helper.make_node("Add", ["x", "y"], ["z"])]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3]), helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])]
    outputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 3])]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 20)], ir_version=ir_version).SerializeToString()


def check_calls():
    """The same wrong calls on both packages."""
    x = np.ones((2, 3), np.float32)
    sessions = {package: package.InferenceSession(model()) for package in (onnxruntime, moe_opt)}
    others = {package: package.InferenceSession(model()) for package in (onnxruntime, moe_opt)}

    def both(title, action):
        counts["calls"] += 1
        compare_refusals(title, lambda: action(onnxruntime, sessions[onnxruntime]), lambda: action(moe_opt, sessions[moe_opt]))

    def terminated(package, session):
        options = package.RunOptions()
        options.terminate = True
        session.run(None, {"x": x, "y": x}, options)

    def bound_elsewhere(package, session):
        session.run_with_iobinding(others[package].io_binding())

    both("no file", lambda package, session: package.InferenceSession("no/such/file.onnx"))
    both("garbage", lambda package, session: package.InferenceSession(b"garbage"))
    both("no model", lambda package, session: package.InferenceSession(3))
    both("missing input", lambda package, session: session.run(None, {"x": x}))
    both("missing input of tensors", lambda package, session: session.run_with_ort_values(None, {}))
    both("missing input, asynchronous", lambda package, session: session.run_async(None, {"x": x}, print, None))
    both("unknown input", lambda package, session: session.run(None, {"x": x, "y": x, "w": x}))
    both("unknown output", lambda package, session: session.run(["q"], {"x": x, "y": x}))
    both("an output's name, no list", lambda package, session: session.run("z", {"x": x, "y": x}))
    both("a list for a dict", lambda package, session: session.run(None, [x, x]))
    both("dtype", lambda package, session: session.run(None, {"x": x.astype(np.float64), "y": x}))
    both("size", lambda package, session: session.run(None, {"x": x[:, :2], "y": x}))
    both("rank", lambda package, session: session.run(None, {"x": x[0], "y": x}))
    both("no run options", lambda package, session: session.run(None, {"x": x, "y": x}, 3))
    both("terminate", terminated)
    both("binding of another session", bound_elsewhere)
    both("unknown bound input", lambda package, session: session.io_binding().bind_cpu_input("q", x))
    both("entry of a session", lambda package, session: package.SessionOptions().get_session_config_entry("a"))
    both("entry of a run", lambda package, session: package.RunOptions().get_run_config_entry("a"))
    both("an int as entry", lambda package, session: package.SessionOptions().add_session_config_entry("a", 1))
    both("an empty key", lambda package, session: package.SessionOptions().add_session_config_entry("", "1"))
    both("no OrtValue as initializer", lambda package, session: package.SessionOptions().add_initializer("w", 3))
    both("an unknown provider", lambda package, session: package.SessionOptions().add_provider("CUDAExecutionProvider", {}))
    both("severity", lambda package, session: package.set_default_logger_severity(9))
    both("seed", lambda package, session: package.set_seed("a"))
    both("size of an update", lambda package, session: package.OrtValue.ortvalue_from_numpy(x.copy()).update_inplace(x[:1]))
    both("type of an update", lambda package, session: package.OrtValue.ortvalue_from_numpy(x.copy()).update_inplace([1]))
    both("ONNX's type 99", lambda package, session: package.OrtValue.ortvalue_from_shape_and_type([2], 99))
    both("a negative size", lambda package, session: package.OrtValue.ortvalue_from_shape_and_type([-2], np.float32))
    both("no device", lambda package, session: package.OrtValue.ortvalue_from_numpy(x, "tpu", 0))
    both("a sparse tensor", lambda package, session: package.OrtValue.ortvalue_from_numpy(x).as_sparse_tensor())


def main():
    onnxruntime.set_default_logger_severity(4)
    warnings.simplefilter("ignore", DeprecationWarning)  # numpy's, of its bools as ints
    if sys.argv[1:] == ["--break"]:
        del moe_opt.SessionOptions.add_initializer
        MISSING["OrtValue"]["shape"] = "for the test"
        moe_opt.InferenceSession.run = lambda self, feeds, names=None: None
    compare_names("moe_opt", onnxruntime, public(moe_opt), public(onnxruntime))
    for name in public(onnxruntime):
        one, other = getattr(onnxruntime, name), getattr(moe_opt, name, None)
        if callable(one) and callable(other) and not inspect.isclass(one):
            compare_signature(name, one, other)
    for name in CLASSES:
        check_class(name)
    for name in ENUMERATIONS:
        check_enumeration(name)
    exceptions = [name for name in public(their_state) if inspect.isclass(getattr(their_state, name)) and issubclass(getattr(their_state, name), Exception)]
    compare_names("exceptions", their_state, public(our_state), exceptions)
    if sys.argv[1:] != ["--break"]:
        for name in ("SessionOptions", "RunOptions"):
            check_options(name)
        check_calls()
        print(f"names compared: {counts['names']}\nsignatures compared: {counts['signatures']}\nwrong calls compared: {counts['calls']}")
    for problem in problems:
        print(problem)
    print("OK" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
