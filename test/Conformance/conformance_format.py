"""The lit format of this folder: each line of models.txt is a test. A module of its own, since lit sends tests to other processes."""

import os

import lit.Test
import lit.formats
import lit.util
from compile import read_list


class ConformanceFormat(lit.formats.TestFormat):
    def getTestsInDirectory(self, suite, path_in_suite, lit_config, local_config):
        lines = read_list(os.path.join(suite.getSourcePath(path_in_suite), "models.txt"))
        for words in lines[:: local_config.moe_settings["every"]]:
            test = lit.Test.Test(suite, path_in_suite + (words[0] + ".onnx-model",), local_config)
            test.words = [str(word) for word in words]
            yield test

    def execute(self, test, lit_config):
        settings = dict(test.config.moe_settings)
        if not settings["fixtures"]:
            return lit.Test.UNSUPPORTED, "the fixtures are not beside the project; set MOE_FIXTURES"
        script = os.path.join(settings["source"], "test", "Conformance", "compile.py")
        work = os.path.join(settings["build"], "test", "Conformance", "Output", test.words[0])
        command = [settings["python"], script, settings["fixtures"], work, *test.words]
        out, err, status = lit.util.executeCommand(command, env=test.config.environment, timeout=600)
        return (lit.Test.PASS if status == 0 else lit.Test.FAIL), f"{' '.join(command)}\n{out}{err}"
