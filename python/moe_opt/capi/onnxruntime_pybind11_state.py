"""The exceptions, and the classes and functions that onnxruntime has in its module of this name."""

from .._devices import OrtDevice
from .._environment import (disable_telemetry_events, enable_telemetry_events, get_all_providers, get_available_providers, get_build_info, get_device,
                            get_version_string, has_collective_ops, set_default_logger_severity, set_default_logger_verbosity,
                            set_global_thread_pool_sizes, set_seed)
from .._errors import EPFail, Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile, NotImplemented, RuntimeException
from .._options import ExecutionMode, ExecutionOrder, GraphOptimizationLevel, RunOptions, SessionOptions
from .._session import InferenceSession, ModelMetadata, NodeArg
from .._values import OrtValue

__all__ = ["EPFail", "ExecutionMode", "ExecutionOrder", "Fail", "GraphOptimizationLevel", "InferenceSession", "InvalidArgument", "InvalidGraph",
           "InvalidProtobuf", "ModelMetadata", "NoSuchFile", "NodeArg", "NotImplemented", "OrtDevice", "OrtValue", "RunOptions", "RuntimeException",
           "SessionOptions", "disable_telemetry_events", "enable_telemetry_events", "get_all_providers", "get_available_providers", "get_build_info",
           "get_device", "get_version_string", "has_collective_ops", "set_default_logger_severity", "set_default_logger_verbosity",
           "set_global_thread_pool_sizes", "set_seed"]
