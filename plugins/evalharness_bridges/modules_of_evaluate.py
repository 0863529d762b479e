"""Any metric of the Hugging Face library evaluate: a module folder, a script, or a name on the Hub."""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import evalharness as eh
from evalharness_bridges.bridged import Bridged, check_names, library
from evalharness_bridges.trusted import Source, read_source

MODULES = Path(__file__).parent / "modules"
_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?(?<!\.py)")
_OWNER = "evaluate-metric"


class Evaluate(Bridged):
    """A metric of the library evaluate over all samples, in that metric's own unit and range.

    - `path`: a module folder or script, from the folder of the task file; the name of a metric on the Hugging Face Hub,
      such as `accuracy` or `OWNER/NAME`, with `revision` at a commit of it; or `shared_words`, which comes along as an
      example. What is no option here is passed on to its `compute`: `average: macro`. The score is called by the module.
    - `trust`: the SHA-256 digest of its code. Code runs only with the right one; the message for a missing or wrong digest
      says which it is. Read the code first.
    - `config`: one of the module's configurations.
    - `predictions`, `references`: the fields that it takes under these names; null where it takes none.
      `fields` names those of further inputs. A module that takes one text as reference gets the first of several, another
      all. A sample without references is unmeasured.
    - `better`: which direction is; no module says it.
    - `range`: `[low, high]` where the values have bounds; the interval keeps within them.
    - `keys`: of a module with several values, which of them are wanted; each is a part of the score.
    - `per_sample: true` says that the metric is the mean of its values for single samples, so that each sample has one;
      modules that give a list with one value a sample are called once a batch. Otherwise it is computed from all rows at
      once, and for replicates 100 times over with rows repeated.

    >>> import evalharness as eh
    >>> metric = eh.load_metric("evaluate", **Evaluate.example)
    >>> metric.evaluate(response=["the old mill"], references=["the mill"]).scores["shared_words"].value
    1.0
    """

    name = "evaluate"
    example: ClassVar[Mapping[str, Any]] = {
        "path": "shared_words",
        "trust": "ceefe13d35f7676795b9eac32c02f57dcd8d9767e696a98647f9ca07271e9dc1",
        "better": "higher",
        "range": [0, 1],
    }
    formula: ClassVar[str] = "module.compute(predictions=..., references=..., ...)"
    cite: ClassVar[str] = "von Werra et al., Evaluate & Evaluation on the Hub, EMNLP 2022 (demonstrations)"
    reference: ClassVar[str] = "the module itself; the record says which version of evaluate, the signature which code"

    path: eh.File
    trust: str | None = None
    revision: str | None = None
    config: str | None = None
    predictions: str | None = "response"
    references: str | None = "references"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.origin)
        if self._local is not None:
            _read(self._local).check(self.trust, self.path.written)
        elif not _HUB_NAME.fullmatch(self.path.written):
            raise ValueError(f"{self.path} does not exist, and '{self.path.written}' is no name on the Hub")
        super().__post_init__()

    @property
    def origin(self) -> str:
        """The name of the module."""
        return Path(os.path.abspath(self.path)).name.removesuffix(".py")

    @property
    def inputs(self) -> Mapping[str, str]:
        """The field of each input of the module."""
        known = {"predictions": self.predictions, "references": self.references}
        return {**{name: field for name, field in known.items() if field is not None}, **self.fields}

    @property
    def _local(self) -> Path | None:
        """The folder or script on this machine; None for a name on the Hub."""
        places = (Path(self.path), MODULES / self.path.written)
        return next((place for place in places if place.exists()), None)

    def prepare(self) -> None:
        """Load the module and see that it takes the arguments."""
        parameters = inspect.signature(self._module._compute).parameters
        if not any(item.kind is item.VAR_KEYWORD for item in parameters.values()):
            try:
                check_names(self.args, parameters, self.origin)
            except ValueError as error:  # not one of a row
                raise eh.UsageError(str(error)) from error

    @property
    def _module(self) -> Any:
        place = self._local or _fetched(self.path.written, self.revision)
        return _module(place, self.origin, self.path.written, self.trust, self.config)

    def call(self, arguments: dict[str, list[Any]], weights: Any) -> Any:
        """Return what the module computes."""
        module = self._module
        given = {
            name: [value[0] for value in values] if self._takes_one(module, name, values) else values
            for name, values in arguments.items()
        }
        try:
            return module.compute(**given, **self.args)
        except Exception:
            # What it began to write would be read as the start of the next rows.
            module.writer = module.buf_writer = module.data = module.selected_feature_format = None
            raise

    def _takes_one(self, module: Any, name: str, values: Sequence[Any]) -> bool:
        """Return whether an input that comes from lists of references holds one text a row, in all forms that it has."""
        forms = module.features if isinstance(module.features, list) else [module.features]
        lists = self.inputs[name] == "references" and all(isinstance(value, list) for value in values)
        return lists and all(hasattr(form.get(name), "dtype") and form[name].dtype == "string" for form in forms)


def _read(place: Path, name: str = "") -> Source:
    return read_source(place, f"{name or place.name}.py")


@functools.cache
def _fetched(name: str, revision: str | None) -> Path:
    """Return the folder with the Python files of a metric on the Hub, downloaded once."""
    repository = name if "/" in name else f"{_OWNER}/{name}"
    hub = library("huggingface_hub")
    try:
        return Path(
            hub.snapshot_download(
                repository, repo_type="space", revision=revision, allow_patterns="*.py", local_files_only=eh.offline()
            )
        )
    except Exception as error:  # the Hub and the network raise errors of their own
        if eh.offline():
            mend = "--offline forbids to fetch it; run once without, or give the path of a folder that holds it"
        else:
            mend = "check the name, or give the path of a folder that holds it"
        raise eh.DataError(f"the module {repository} is not on this machine: {mend} ({type(error).__name__}: {error})") from error


@functools.lru_cache(maxsize=16)
def _module(place: Path, name: str, shown: str, trust: str | None, config: str | None) -> Any:
    """Return the module of trusted code, ready to compute."""
    source = _read(place, name)
    source.check(trust, shown)
    evaluate, datasets = library("evaluate"), library("datasets")
    code = source.load()
    kinds = [item for item in vars(code).values() if isinstance(item, type) and issubclass(item, evaluate.EvaluationModule)]
    own = [item for item in kinds if item.__module__ == code.__name__]
    if not own:
        raise eh.UsageError(f"{source.main} in {place} defines no class of evaluate.Metric, Comparison or Measurement")
    cache = str(eh.cache_folder("evaluate"))
    module = own[0](config_name=config, keep_in_memory=True, cache_dir=cache, hash=source.digest)
    module.download_and_prepare(datasets.DownloadConfig(local_files_only=eh.offline()))
    return module
