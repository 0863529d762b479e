"""What `evalharness plugin new` writes: one module with one metric, its test, and what makes a package of them."""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path
from string import Template

from evalharness.errors import UsageError

NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "$name"
version = "0.1.0"
description = "A metric for evalharness."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["evalharness"]

[project.optional-dependencies]
dev = ["pytest"]

[project.entry-points.evalharness]
$module = "$module"

[tool.hatch.build.targets.wheel]
only-include = ["$module.py"]
"""

MODULE = '''\
# Reward responses that stay short.
from evalharness import hookimpl, metric


@metric(better="higher")
def $module(response, *, limit: int = 200):
    """Share of responses of at most `limit` characters, 0 to 1."""
    return float(len(response) <= limit)


@hookimpl
def evalharness_metrics():
    return [$module]
'''

TEST = '''\
"""The metric keeps its contract, and has the value that one would count by hand."""

import evalharness as eh
from evalharness.testing import check_plugin


def test_it_keeps_the_contract():
    check_plugin("$name")


def test_one_of_two_responses_is_short():
    evaluation = eh.load_metric("$module", limit=3).evaluate(response=["yes", "by no means"])
    assert evaluation.scores["$module"].value == 0.5
    assert evaluation.samples["$module"] == [1.0, 0.0]
'''

README = """\
# $name

A metric for evalharness.

```
pip install -e '.[dev]'
evalharness list metrics
evalharness plugin test $name
pytest
```

In a task file:

```yaml
metrics:
  - $module: {limit: 200}
```
"""

FILES = {"pyproject.toml": PYPROJECT, "$module.py": MODULE, "tests/test_$module.py": TEST, "README.md": README}


def write_package(name: str, folder: Path) -> list[Path]:
    """Write a package into a folder that is new or empty; return its files.

    Raises UsageError where the name cannot be a package or the folder holds something.
    """
    module = _module(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already and is not an empty folder; give another with --folder")
    written = []
    for path, text in FILES.items():
        target = folder / Template(path).substitute(module=module)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(text).substitute(name=name, module=module), encoding="utf-8")
        written.append(target)
    return written


def _module(name: str) -> str:
    module = name.replace("-", "_")
    if not NAME.fullmatch(name):
        allowed = "lower-case letters and digits, parts joined by '-', a letter first, such as acme-brevity"
        raise UsageError(f"'{name}' cannot be the name of a package: it must be {allowed}")
    if keyword.iskeyword(module) or importlib.util.find_spec(module) is not None:
        raise UsageError(f"'{module}' is a word or a module of Python already; choose another name, such as my-{name}")
    return module
