"""`evalharness weights`: list, fetch and verify the weights of local models."""

from __future__ import annotations

import click

from evalharness.cli.output import json_option, print_json, print_table


@click.group("weights")
def command() -> None:
    """List, fetch and verify the weights of local models.

    \b
    Example:
      evalharness weights fetch smollm2-135m-instruct all-minilm-l6-v2
    """


@command.command("list")
@json_option
def list_weights(as_json: bool) -> None:
    """List the pinned weights, where they come from and where they lie.

    Beside these names, `weights:` takes a local folder or OWNER/NAME@REVISION on a hub.

    \b
    Example:
      evalharness weights list
    """
    from evalharness.systems import weights

    rows = [each.plain() for each in weights.held()]
    if as_json:
        print_json(rows)
        return
    columns = ("name", "kind", "source", "MB", "licence", "folder")
    print_table(columns, [[str(row["megabytes" if name == "MB" else name] or "not fetched") for name in columns] for row in rows])


@command.command("fetch")
@click.argument("names", nargs=-1, required=True)
@click.option("--again", is_flag=True, help="Fetch anew what is there already, for example after damage.")
@json_option
def fetch(names: tuple[str, ...], again: bool, as_json: bool) -> None:
    """Fetch pinned weights and convert them, once; what is there already is left as it is.

    \b
    Example:
      evalharness weights fetch smollm2-135m-instruct
    """
    from evalharness.systems import weights

    folders = {name: str(weights.fetch(name, again=again)) for name in names}
    if as_json:
        print_json(folders)
        return
    for name, folder in folders.items():
        click.echo(f"{name}: {folder}")


@command.command("verify")
@click.argument("names", nargs=-1)
@json_option
def verify(names: tuple[str, ...], as_json: bool) -> int:
    """Compare the files of weights on this machine with the sha256 written when they were made; all of them by default.

    Ends with exit code 2 where a file is missing, was changed or was added.

    \b
    Example:
      evalharness weights verify all-minilm-l6-v2
    """
    from evalharness.systems import weights

    chosen = names or tuple(each.source.name for each in weights.held() if each.folder is not None)
    faults = {name: weights.verify(name) for name in chosen}
    if as_json:
        print_json(faults)
    else:
        for name, wrong in faults.items():
            click.echo(f"{name}: {'as written' if not wrong else '; '.join(wrong)}")
        for name in (name for name, wrong in faults.items() if wrong):
            click.echo(f"Mend them with: evalharness weights fetch --again {name}", err=True)
    return 2 if any(faults.values()) else 0
