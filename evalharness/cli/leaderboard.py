"""`evalharness leaderboard`: add runs to a board, check it, build its site, look at it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalharness.cli.output import json_option, print_json
from evalharness.errors import UsageError

if TYPE_CHECKING:
    from evalharness.leaderboard.submission import Added

PATH = click.Path(path_type=Path)


def _board(context: click.Context, parameter: click.Parameter, value: Path) -> Path:
    """Return the folder of a board, which may be named by its file."""
    folder = value.parent if value.name == "board.yaml" else value
    if (folder / "board.yaml").is_file():
        return folder
    if (folder / "record.json").is_file():
        raise UsageError(f"{value} is a run; the board comes first: evalharness leaderboard add BOARD RUN...")
    there = ", ".join(str(path.parent) for path in sorted(Path("leaderboards").glob("*/board.yaml")))
    raise UsageError(f"{value} is no board: a board is a folder with board.yaml{f'; there are {there}' if there else ''}")


BOARD = click.argument("board", type=PATH, callback=_board)


@click.group("leaderboard")
def command() -> None:
    """Add runs to a leaderboard, check it, build its site, look at it.

    \b
    Example:
      evalharness leaderboard add leaderboards/rag_qa runs/rag_qa/dense-smollm2-1f0c2d3e
      evalharness leaderboard build leaderboards/rag_qa
    """


@command.command("add")
@BOARD
@click.argument("runs", type=PATH, nargs=-1, required=True, metavar="RUN...")
@click.option("--without-texts", is_flag=True, help="Leave the texts of the samples behind, where a licence forbids them.")
@json_option
def add(board: Path, runs: tuple[Path, ...], without_texts: bool, as_json: bool) -> int:
    """Check finished runs and add them to a board.

    A run is refused, with every reason and exit code 1, where its task or data are not the board's, where it does not
    cover all samples, or where its scores do not follow from its samples. No model is asked.

    \b
    Example:
      evalharness leaderboard add leaderboards/rag_qa runs/rag_qa/dense-smollm2-1f0c2d3e
      evalharness leaderboard add leaderboards/rag_qa runs/rag_qa/* --without-texts
    """
    from evalharness.leaderboard.submission import Refused
    from evalharness.leaderboard.submission import add as add_run

    found: list[Added | Refused] = []
    for run in runs:
        try:
            found.append(add_run(board, run, texts=not without_texts))
        except Refused as refused:
            found.append(refused)
    if as_json:
        print_json([_plain(run, one) for run, one in zip(runs, found, strict=True)])
    else:
        for one in found:
            click.echo(_told(one), err=isinstance(one, Refused))
    return int(any(isinstance(one, Refused) for one in found))


def _plain(run: Path, found: Added | Exception) -> dict[str, object]:
    from evalharness.leaderboard.submission import Added

    if not isinstance(found, Added):
        return {"run": str(run), "added": False, "reasons": list(getattr(found, "reasons", ()))}
    what = {"system": found.system, "record": str(found.folder), "replaced": found.replaced, "notes": list(found.notes)}
    return {"run": str(run), "added": True, **what}


def _told(found: Added | Exception) -> str:
    from evalharness.leaderboard.submission import Added

    if not isinstance(found, Added):
        return str(found)
    what = "replaced" if found.replaced else "added"
    return "\n".join([f"{what} {found.system}: {found.folder}", *(f"  note: {note}" for note in found.notes)])


@command.command("check")
@BOARD
@json_option
def check(board: Path, as_json: bool) -> int:
    """Check every record of a board as `add` does, and that its site is what they make; for CI.

    Exit code 1, with all reasons, where anything is not in order.

    \b
    Example:
      evalharness leaderboard check leaderboards/rag_qa
    """
    from evalharness.leaderboard.checking import check_board

    faults = check_board(board)
    if as_json:
        print_json({"board": str(board), "faults": [{"where": fault.where, "message": fault.message} for fault in faults]})
    else:
        click.echo("\n".join(map(str, faults)) or f"{board}: all records and the site are in order")
    return int(bool(faults))


@command.command("build")
@BOARD
@click.option("--out", type=PATH, help="The folder of the site; default: site/ in the board's folder.")
@json_option
def build(board: Path, out: Path | None, as_json: bool) -> None:
    """Build the site of a board: static pages that open without a server.

    \b
    Example:
      evalharness leaderboard build leaderboards/rag_qa
    """
    from evalharness.leaderboard.publishing import FRONT, build_site

    front = build_site(board, out) / FRONT
    if as_json:
        print_json({"board": str(board), "site": str(front)})
    else:
        click.echo(f"built {front}")


@command.command("serve")
@BOARD
@json_option
def serve(board: Path, as_json: bool) -> None:
    """Show the site of a board on this machine until Ctrl-C; the board's own site/ is left as it is.

    \b
    Example:
      evalharness leaderboard serve leaderboards/rag_qa
    """
    import contextlib

    from evalharness.leaderboard.publishing import served

    with contextlib.suppress(KeyboardInterrupt), served(board) as (address, serve_forever):
        if as_json:
            print_json({"board": str(board), "address": address})
        else:
            click.echo(f"{address} (Ctrl-C ends)")
        serve_forever()
