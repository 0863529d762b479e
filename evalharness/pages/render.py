"""Renders pages that run from `file://`: nothing but their own scripts may run, and text from records stays text."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.results.wording import number as written

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

HERE = Path(__file__).parent
ASSETS = HERE / "assets"
TABULATOR = "vendor/tabulator-tables/tabulator.min.js"
VEGA = ("vendor/vega/vega.min.js", "vendor/vega-lite/vega-lite.min.js", "vendor/vega-embed/vega-embed.min.js")
JSTAT = "vendor/jstat/jstat.min.js"
STYLES = ("vendor/tabulator-tables/tabulator_simple.min.css", "css/evalharness.css")
# The theme runs before anything is drawn; the others when the page is read.
FIRST = ("js/theme.js",)
_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; img-src 'self' data:; font-src 'none'; "
    "base-uri 'none'; form-action 'none'"
)
_UNSAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


@dataclass(frozen=True)
class Shell:
    """What the base template needs: the policy, and the tags of styles, first scripts and the other scripts."""

    policy: str
    styles: Markup
    first: Markup
    scripts: Markup
    root: str = ""


def environment(*folders: Path) -> Environment:
    """Return the templates of these folders and the shared ones; every value is escaped, a missing one is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([*folders, HERE / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(json=json_for_script, number=number, percent=percent)
    return made


def linked(root: str, scripts: Sequence[str] = ()) -> Shell:
    """Return the shell of a page whose assets lie in `assets/` under `root`, the way from the page to the site's top."""
    from markupsafe import Markup

    style = Markup('<link rel="stylesheet" href="{}assets/{}">')
    script = Markup('<script src="{}assets/{}"{}></script>')
    return Shell(
        _POLICY.format(scripts="'self'", styles="'self'"),
        _joined(style.format(root, name) for name in STYLES),
        _joined(script.format(root, name, "") for name in FIRST),
        _joined(script.format(root, name, Markup(" defer")) for name in scripts),
        root,
    )


def inlined(scripts: Sequence[str] = (), styles: Sequence[str] = ()) -> Shell:
    """Return the shell of a page that is one file: assets stand in it, and the policy names the hash of each.

    `styles` are the page's own, beside those of all pages.
    """
    from markupsafe import Markup

    looks, first, rest = (
        [(ASSETS / name).read_text(encoding="utf-8") for name in names] for names in ((*STYLES, *styles), FIRST, scripts)
    )
    first, rest = [_closed(text) for text in first], [_closed(text) for text in rest]
    policy = _POLICY.format(scripts=_hashes([*first, *rest]), styles=_hashes(looks))
    return Shell(
        policy,
        _joined(Markup(f"<style>{text}</style>") for text in looks),
        _joined(Markup(f"<script>{text}</script>") for text in first),
        _joined(Markup(f"<script>{text}</script>") for text in rest),
    )


def _joined(tags: Any) -> Markup:
    from markupsafe import Markup

    return Markup("\n").join(tags)


def _closed(script: str) -> str:
    """Return a script that cannot end its own element."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hashes(texts: Sequence[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"


def write_assets(out: Path, scripts: Sequence[str]) -> list[Path]:
    """Write the styles, these scripts and the licence and source of each library to `out`/assets; return the files."""
    vendored = {str(Path(name).parent) for name in (*STYLES, *scripts) if name.startswith("vendor/")}
    notes = [f"{folder}/{name}" for folder in sorted(vendored) for name in ("LICENSE", "SOURCE")]
    written = []
    for name in (*STYLES, *FIRST, *scripts, *notes):
        target = out / "assets" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ASSETS / name, target)
        written.append(target)
    return written


def json_text(value: Any) -> str:
    """Return compact JSON that is also safe inside a script element; what is no finite number becomes null."""
    try:
        text = _dumped(value)
    except ValueError:  # walking through all of it is dear, and seldom needed
        text = _dumped(finite(value))
    return text.translate(_UNSAFE)


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def json_for_script(value: Any) -> Markup:
    """Return `json_text` for a template, where it stands in `<script type="application/json">`."""
    from markupsafe import Markup

    return Markup(json_text(value))


def finite(value: Any) -> Any:
    """Return plain JSON data with null for every number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    return value


def number(value: float | None) -> str:
    """Return a number as the pages show it, a dash where there is none.

    >>> number(0.41234), number(None)
    ('0.412', '–')
    """
    return "–" if value is None or not math.isfinite(value) else written(value)


def percent(share: float) -> str:
    """Return a share in whole per cent, never 100 where something is missing.

    >>> percent(1.0), percent(0.9999), percent(0.877)
    ('100 %', '99 %', '88 %')
    """
    return "100 %" if share >= 1 else f"{min(99, round(100 * share))} %"
