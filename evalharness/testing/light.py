"""Runs code in a fresh process and tells which heavy modules it imported."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from typing import Any

from evalharness.testing.outcomes import Broken, NotApplicable

HEAVY = (
    "accelerate", "datasets", "jinja2", "matplotlib", "numpy", "pandas", "pyarrow", "rapidfuzz", "requests", "sacrebleu", "scipy",
    "sentence_transformers", "sklearn", "tensorflow", "tokenizers", "torch", "transformers", "yaml",
)  # fmt: skip
LOAD = """
import importlib
try:
    importlib.import_module(given)
    answer = True
except ModuleNotFoundError as error:
    if error.name != given:
        raise
    answer = False
"""
IDENTITY = "answer = given.identity()"
PROGRAM = """
import json, pickle, sys
path, heavy, given = pickle.load(sys.stdin.buffer)
sys.path[:] = path
try:
    given = pickle.loads(given)
except ModuleNotFoundError as error:
    print("\\n" + json.dumps([None, None, error.name]))
    sys.exit()
{code}
print("\\n" + json.dumps([answer, [name for name in heavy if name in sys.modules], None]))
"""


def in_fresh_process(code: str, given: Any, heavy: tuple[str, ...] = HEAVY) -> tuple[Any, list[str]]:
    """Run `code`, which finds `given` and sets `answer`; return the answer and the heavy modules that were imported.

    Raises NotApplicable where `given` is of a class whose module the process cannot import.
    """
    path = [entry or os.getcwd() for entry in sys.path]
    told = pickle.dumps((path, heavy, pickle.dumps(given)))
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(code=code)], input=told, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace").strip().rpartition("\n")[2])
    answer, found, absent = json.loads(done.stdout.decode().strip().rpartition("\n")[2])
    if absent is not None:
        raise NotApplicable(f"the module {absent} cannot be imported by name")
    return answer, found


def check_module_is_light(module: str) -> None:
    """Raise Broken where importing a module imports something heavy."""
    if hasattr(sys.modules.get(module), "pytest"):
        raise NotApplicable(f"{module} is a module of tests")
    found, heavy = in_fresh_process(LOAD, module)
    if module == "__main__" or not found:
        raise NotApplicable(f"the module {module} cannot be imported by name")
    if heavy:
        raise Broken(
            "loading the plugin imports nothing heavy, since every command would pay for it",
            f"'import {module}' imports {', '.join(heavy)}",
            f"move 'import {heavy[0]}' into the method that uses it",
        )
