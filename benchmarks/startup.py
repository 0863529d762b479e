"""Starting up: `evalharness --help` and `evalharness list metrics` beside an empty Python and a bare click program.

    python -m benchmarks.startup

Measured on 2 cores: 54 ms for `--help`, 1.17 times the bare click program.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.process import EVALHARNESS, measure

ROUNDS = 20
LIMIT = 0.1
HEAVY = ("numpy", "scipy", "torch", "transformers", "datasets", "pyarrow", "sentence_transformers", "sacrebleu", "bm25s", "yaml")
BARE = "import click\n\n@click.group()\ndef cli(): pass\n\n@cli.command()\ndef run(): 'Run.'\n\ncli()\n"
IMPORTED = """
import contextlib, io, json, sys
from evalharness.cli.main import cli
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    cli.main(sys.argv[2:])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} & set(json.loads(sys.argv[1])))))
"""


def heavy_imports(*arguments: str) -> list[str]:
    """Return the heavy packages that a command has imported by its end."""
    command = [sys.executable, "-c", IMPORTED, json.dumps(HEAVY), *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def medians(commands: dict[str, list[str]]) -> dict[str, float]:
    """Return the median seconds of each command; the rounds take turns, so that all see the same noise."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            seconds[name].append(measure(command).seconds)
    return {name: statistics.median(values) for name, values in seconds.items()}


@click.command(help=__doc__)
def main() -> None:
    for arguments in (["--help"], ["list", "metrics"]):
        imported = heavy_imports(*arguments)
        click.echo(f"evalharness {' '.join(arguments)} imports of {', '.join(HEAVY)}: {', '.join(imported) or 'none'}")
        if imported:
            sys.exit(1)
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder, "bare.py")
        bare.write_text(BARE)
        found = medians(
            {
                "python -c pass": [sys.executable, "-c", "pass"],
                "bare click program --help": [sys.executable, str(bare), "--help"],
                "evalharness --help": [EVALHARNESS, "--help"],
                "evalharness list metrics": [EVALHARNESS, "list", "metrics"],
            }
        )
    for name, seconds in found.items():
        click.echo(f"{name}: {1000 * seconds:.0f} ms, the median of {ROUNDS}")
    click.echo(
        f"evalharness --help against bare click: {found['evalharness --help'] / found['bare click program --help']:.2f} times"
    )
    sys.exit(found["evalharness --help"] > LIMIT)


if __name__ == "__main__":
    main()
