"""Fresh environments for third-party distributions, built and installed without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
Done = subprocess.CompletedProcess[str]
collect_ignore_glob = ["acme-*"]  # projects of their own, one of which does not import


@dataclass(frozen=True)
class Environment:
    """A virtual environment that sees what this one has installed, and has more of its own."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Environment:
        """Make one; a .pth file lends it the packages of this environment, the project's own included."""
        venv.create(folder, symlinks=True)
        made = cls(folder)
        lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        text = "".join(f"import site; site.addsitedir({path!r})\n" for path in sorted(lent))
        (made.site_packages / "lent.pth").write_text(text, encoding="utf-8")
        return made

    @property
    def site_packages(self) -> Path:
        """The folder that packages are installed to."""
        return next(self.folder.glob("lib/python*/site-packages"))

    def python(self, *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> Done:
        """Run this environment's Python and return what it said, whatever its exit code."""
        clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "EVALHARNESS_PLUGINS")}
        command = [str(self.folder / "bin" / "python"), *arguments]
        settings = {**clean, "EVALHARNESS_CACHE": str(self.folder / "cache"), **(env or {})}
        return subprocess.run(command, capture_output=True, text=True, env=settings, cwd=cwd or self.folder, check=False)

    def evalharness(self, *command: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> Done:
        """Run the command line in this environment, as its script does."""
        return self.python("-c", "from evalharness.cli.main import cli; cli()", *command, env=env, cwd=cwd)

    def install(self, project: Path, scratch: Path) -> None:
        """Build a project's wheel and install it; neither step may reach a network."""
        wheels = scratch / f"wheels-{project.name}"
        options = ["--no-deps", "--no-index", "--disable-pip-version-check", "-q"]
        build = [sys.executable, "-m", "pip", "wheel", *options, "--no-build-isolation", "-w", str(wheels), str(project)]
        subprocess.run(build, check=True, capture_output=True, text=True)
        (wheel,) = wheels.glob("*.whl")
        target = [sys.executable, "-m", "pip", "install", *options, "--target", str(self.site_packages), str(wheel)]
        subprocess.run(target, check=True, capture_output=True, text=True)


@pytest.fixture(scope="session")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Give a fresh environment with the three distributions of this folder, built and installed once a session."""
    scratch = tmp_path_factory.mktemp("acme")
    made = Environment.make(scratch / "environment")
    for project in sorted(HERE.glob("acme-*")):
        made.install(project, scratch)
    return made


@pytest.fixture
def fresh(tmp_path: Path) -> Environment:
    """Give a fresh environment without anything of its own."""
    return Environment.make(tmp_path / "environment")
