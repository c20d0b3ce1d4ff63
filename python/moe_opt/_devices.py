"""Where memory is: OrtDevice. There is the CPU's alone."""

from __future__ import annotations

from typing import Any

from ._errors import Error


def check_device(device_type: str, device_id: int = 0) -> None:
    """Raises Error ("bad_argument") for memory that is not the CPU's, TypeError for what is no device at all."""
    if not isinstance(device_type, str):
        raise TypeError(f"expected the name of a device, found {device_type!r}")
    if device_type.lower() != "cpu" or device_id != 0:
        raise Error("bad_argument", f"expected memory of the device cpu:0, found {device_type}:{device_id}")


class OrtDevice:
    """The CPU's memory, as onnxruntime describes it. Made by `make`."""

    @staticmethod
    def make(ort_device_name: str, device_id: int, vendor_id: Any = -1) -> "OrtDevice":
        """The device "cpu", 0. vendor_id: without effect. Raises Error ("bad_argument") for another."""
        check_device(ort_device_name, device_id)
        return OrtDevice()

    def device_id(self) -> int:
        """0."""
        return 0

    def device_type(self) -> int:
        """0: a CPU."""
        return 0

    def device_mem_type(self) -> int:
        """0: ordinary memory."""
        return 0

    def device_vendor_id(self) -> int:
        """0: no vendor in particular."""
        return 0
