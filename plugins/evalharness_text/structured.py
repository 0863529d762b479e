"""Whether responses are JSON, and whether they fit a JSON schema."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from evalharness import File, Metric, Rows, canonical, digest

_ERRORS, _CHARACTERS, _DIGITS = 5, 300, 4000
Evidence = dict[str, Any]


class JsonValidity(Metric):
    """Share of responses that are JSON as a whole, 0 to 1.

    White space around it is fine, other text is not; the transform `extract_json` takes prose and code fences away. NaN and
    Infinity are no JSON, nor is what is nested deeper than Python reads. The evidence of a response that is none says
    what is wrong and where. An empty response has 0.

    >>> JsonValidity().measure(response=['{"a": [1]}', "{'a': 1}"]).statistics
    {'valid': [1.0, 0.0]}
    """

    name, better, range, family = "json_validity", "higher", (0, 1), "json"
    formula: ClassVar[str] = "mean of 1 if the response is a JSON text, else 0"
    cite: ClassVar[str] = "Bray, The JavaScript Object Notation (JSON) Data Interchange Format, RFC 8259, 2017"
    reference: ClassVar[str] = "Python's json module, without its additions NaN and Infinity"

    def measure(self, response: Sequence[str]) -> Rows:
        """Return whether each response is JSON."""
        faults = {row: found for row, text in enumerate(response) if (found := _read(text)[1])}
        return Rows({"valid": [float(row not in faults) for row in range(len(response))]}, evidence=faults)


class JsonSchemaMatch(Metric):
    """Share of responses that are JSON and fit a JSON schema, 0 to 1.

    `schema`: a file with a JSON schema, against which all responses are held; without it each sample has its own in the field
    `schema`, as a mapping or as JSON text. Its `$schema` says which draft it follows, 2020-12 where it says nothing;
    `format` is a note and not checked, and nothing is fetched from elsewhere. What is no JSON has 0, as in
    `json_validity`. The evidence lists the first 5 errors with their place in the value. A sample without a schema, or
    with one that is none or cannot be applied, is unmeasured.

    >>> schema = {"type": "object", "required": ["age"]}
    >>> rows = JsonSchemaMatch().measure(response=['{"age": 3}', '{"name": "x"}'], schema=[schema, schema])
    >>> rows.statistics, rows.evidence[1][0]["note"]
    ({'match': [1.0, 0.0]}, "$: 'age' is a required property")
    """

    name, better, range, family = "json_schema_match", "higher", (0, 1), "json"
    formula: ClassVar[str] = "mean of 1 if the response is a JSON text without errors against the schema, else 0"
    cite: ClassVar[str] = "Wright et al., JSON Schema: A Media Type for Describing JSON Documents, draft 2020-12"
    reference: ClassVar[str] = "jsonschema 4.26.0 iter_errors"

    schema: File | None = None
    text: str | None = field(default=None, repr=False, metadata={"option": False})

    def __post_init__(self) -> None:
        if self.schema is not None:
            object.__setattr__(self, "text", _schema_in(self.schema))

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]
        """The response, and the schema where no file holds it."""
        return ("response", "schema") if self.schema is None else ("response",)

    def signature(self) -> str:
        """Return name and option, with a digest of what the file holds."""
        return super().signature() + ("" if self.text is None else f"|schema_digest:{digest(self.text, 8)}")

    def measure(self, response: Sequence[str], schema: Sequence[Any] = ()) -> Rows:
        """Return whether each response fits its schema."""
        texts = map(_schema_text, schema) if self.text is None else [self.text] * len(response)
        match, unmeasured, evidence = [], {}, {}
        for row, (text, wanted) in enumerate(zip(response, texts, strict=True)):
            try:
                faults = _misfits(text, wanted)
            except ValueError as error:
                unmeasured[row], faults = str(error), []
            match.append(float(not faults))
            if faults:
                evidence[row] = faults
        return Rows({"match": match}, unmeasured, evidence)


def _read(text: str) -> tuple[Any, list[Evidence]]:
    """Return the value of a JSON text, and what is wrong with it."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_int=_whole_number), []
    except json.JSONDecodeError as error:
        return None, [{"start": error.pos, "end": min(error.pos + 1, len(text)), "note": f"no JSON: {error.msg}"}]
    except ValueError as error:
        return None, [{"note": f"no JSON: {error}"}]
    except RecursionError:
        return None, [{"note": "nested too deep to be read"}]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _whole_number(digits: str) -> float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)  # Python refuses to read longer ones


def _schema_text(schema: Any) -> str | None:
    return canonical(schema) if isinstance(schema, (Mapping, bool)) else schema


def _schema_in(path: File) -> str:
    """Return the schema of a file; raises ValueError where it cannot be read or is none."""
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the schema {path.written} cannot be read: {error}") from None
    try:
        _validator(text)
    except ValueError as error:
        raise ValueError(f"the schema {path.written}: {error}") from None
    return text


@functools.lru_cache(maxsize=1024)
def _validator(text: str) -> Any:
    """Return what checks values against a schema; raises ValueError where it is none."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import SPECIFICATIONS, Draft202012Validator, validator_for

    schema, faults = _read(text)
    if faults:
        raise ValueError(f"invalid schema: {faults[0]['note']}")
    if not isinstance(schema, (dict, bool)):
        raise ValueError("invalid schema: it is no object")
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"invalid schema: {error.json_path}: {error.message[:_CHARACTERS]}") from None
    return kind(schema, registry=SPECIFICATIONS)  # with these alone, a reference elsewhere is an error and not a download


def _misfits(text: str, schema: Any) -> list[Evidence]:
    """Return what keeps a response from fitting a schema; raises ValueError where there is no schema to apply."""
    if not isinstance(schema, str):
        raise ValueError("no schema")
    validator = _validator(schema)
    value, faults = _read(text)
    if faults:
        return faults
    try:
        errors = sorted((error.json_path, error.message) for error in validator.iter_errors(value))
    except RecursionError:
        raise ValueError("schema cannot be applied: a reference leads in a circle") from None
    except Exception as error:  # a reference that leads nowhere, a pattern that is none: many classes
        raise ValueError(f"schema cannot be applied: {str(error)[:_CHARACTERS]}") from None
    return [{"note": f"{path}: {message[:_CHARACTERS]}"} for path, message in errors[:_ERRORS]]
