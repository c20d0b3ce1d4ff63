"""The one exception of the package."""


class Error(RuntimeError):
    """What went wrong, in the compiler's or the runtime's words.

    `status` is the C ABI's name of the failure ("bad_shape", ...), or "compile" for a failed compilation.
    """

    def __init__(self, status: str, message: str):
        super().__init__(message)
        self.status = status
