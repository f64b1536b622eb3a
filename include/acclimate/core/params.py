"""params.yaml as frozen typed sections, one per stage; every fault is reported at once.

    params = load(Path("params.yaml"))
    params.dedup.threshold        # 0.8

Below the edge, functions receive their own section and `common`, never the whole.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from acclimate.core.errors import UserError
from acclimate.core.records import GENERAL

Share = Annotated[float, Field(ge=0, le=1)]
Similarity = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Section(BaseModel):
    """A frozen section that rejects unknown keys and does not guess types ("0.8" is not 0.8)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CommonParams(Section):
    """Read by every stage."""

    seed: Annotated[int, Field(ge=0)]
    threads: Count
    min_free_disk_mb: Annotated[int, Field(ge=0)]


class PythonDocsSource(Section):
    """Docstrings of installed packages, read without importing them; 'stdlib' is the standard library."""

    kind: Literal["python_docs"]
    name: Name
    domain: Name
    packages: Annotated[list[str], Field(min_length=1)]
    licence: str


class FilesSource(Section):
    """JSONL files, one document a line, below inputs/: there DVC notices when they change."""

    kind: Literal["files"]
    name: Name
    domain: Name
    path: Annotated[str, Field(pattern=r"^inputs/[^/]", description="a glob relative to the checkout")]
    licence: str


Source = Annotated[PythonDocsSource | FilesSource, Field(discriminator="kind")]


class IngestParams(Section):
    """Where documents come from; sources of other domains than `domain` and 'general' are not read."""

    domain: Name
    sources: Annotated[list[Source], Field(min_length=1)]

    @model_validator(mode="after")
    def _sources_make_sense(self) -> IngestParams:
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise ValueError(f"sources need distinct names, got {names}")
        domains = sorted({source.domain for source in self.sources})
        for needed in (self.domain, GENERAL):
            if needed not in domains:
                raise ValueError(f"no source has domain {needed!r}; the sources have {domains}")
        return self

    def selected(self) -> list[PythonDocsSource | FilesSource]:
        """The sources this run reads, in file order."""
        return [source for source in self.sources if source.domain in (self.domain, GENERAL)]


class ValidateParams(Section):
    """Row rules quarantine a record; batch rules stop the run."""

    min_characters: Count
    max_characters: Count
    languages: Annotated[list[str], Field(min_length=1)]
    min_documents: Count
    max_quarantined_share: Share


class CleanParams(Section):
    """What a text must be after cleaning."""

    min_words: Count
    max_words: Count
    min_quality: Share


class SplitParams(Section):
    """Three stores by near-duplicate cluster and group, and the evaluation items drawn from the test store."""

    validation_share: Share
    test_share: Share
    cluster_threshold: Similarity
    boilerplate_documents: Count
    cloze_items: Count
    cloze_left_characters: Count
    cloze_right_characters: Count
    bits_per_byte_documents: Count

    @model_validator(mode="after")
    def _training_remains(self) -> SplitParams:
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share + test_share must leave a share for training")
        return self


class DedupParams(Section):
    """Near-duplicates inside each store."""

    threshold: Similarity
    shingle_words: Count


class DecontaminateParams(Section):
    """Overlap of training text with evaluation text, in words."""

    drop_words: Count
    flag_words: Count

    @model_validator(mode="after")
    def _flag_before_drop(self) -> DecontaminateParams:
        if self.flag_words > self.drop_words:
            raise ValueError(f"flag_words ({self.flag_words}) must not exceed drop_words ({self.drop_words})")
        return self


class MixParams(Section):
    """Composition of the training set, shares of its bytes."""

    domain_documents: Share
    domain_questions: Share
    general_replay: Share
    kilobytes: Count
    max_document_characters: Count

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> MixParams:
        total = self.domain_documents + self.domain_questions + self.general_replay
        if abs(total - 1) > 1e-9:
            raise ValueError(f"domain_documents + domain_questions + general_replay must be 1, got {total:g}")
        return self


class BaseParams(Section):
    """The model to adapt, and how the embedded tiny one is pre-trained."""

    model: Annotated[str, Field(min_length=1)]
    revision: str | None
    vocabulary: Annotated[int, Field(ge=300)]
    hidden: Count
    layers: Count
    heads: Count
    sequence_tokens: Count
    batch_sequences: Count
    steps: Count
    learning_rate: Annotated[float, Field(gt=0)]


class ScoreParams(Section):
    """How models are scored, by baseline, evaluate and evaluate_quantized alike."""

    batch_items: Count
    max_items: Count | None


class TrainParams(Section):
    """The adapter."""

    strategy: Literal["lora", "rslora", "dora"]
    rank: Count
    alpha: Count
    dropout: Share
    steps: Count
    sequence_tokens: Count
    batch_sequences: Count
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["cosine", "linear"]
    warmup_share: Share


class GateParams(Section):
    """What a candidate must show."""

    min_relative_gain: float
    alpha: Annotated[float, Field(gt=0, lt=1)]
    min_retention: Share
    resamples: Annotated[int, Field(ge=200)]


class QuantizeParams(Section):
    """GPTQ."""

    bits: Literal[2, 3, 4, 8]
    group_size: Literal[32, 64, 128]
    calibration_texts: Count
    calibration_tokens: Count


class EvaluateQuantizedParams(Section):
    """What quantisation may cost, as a share of the candidate's own score."""

    min_retention: Share


class PackageParams(Section):
    """What goes into the Bento."""

    weights: Literal["quantized", "merged"]
    max_prompt_tokens: Count
    max_new_tokens: Count


class PromoteParams(Section):
    """Who says yes."""

    approval: bool


class DriftParams(Section):
    """When what is asked no longer looks like what was trained on."""

    min_requests: Count
    alpha: Annotated[float, Field(gt=0, lt=1)]
    permutations: Annotated[int, Field(ge=100)]


class Params(Section):
    """params.yaml as a whole, in pipeline order."""

    common: CommonParams
    ingest: IngestParams
    validate_: ValidateParams = Field(alias="validate")
    clean: CleanParams
    split: SplitParams
    dedup: DedupParams
    decontaminate: DecontaminateParams
    mix: MixParams
    base: BaseParams
    score: ScoreParams
    train: TrainParams
    gate: GateParams
    quantize: QuantizeParams
    evaluate_quantized: EvaluateQuantizedParams
    package: PackageParams
    promote: PromoteParams
    drift: DriftParams

    def section(self, name: str) -> Section:
        """The section called `name` in params.yaml."""
        # pydantic's BaseModel has a method `validate`, so that section's attribute carries an underscore.
        section: Section = getattr(self, "validate_" if name == "validate" else name)
        return section


def load(path: Path) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: naming every fault with its value, the rule it breaks and the line to change.
    """
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist",
            why="every stage reads its dials from it",
            fix="run the command in the root of the checkout",
        ) from None
    except yaml.YAMLError as fault:
        raise UserError(
            f"{path} is not YAML: {_one_line(str(fault))}", why="no dial can be read", fix="mend the line named above"
        ) from None
    try:
        return Params.model_validate(values)
    except ValidationError as faults:
        lines = [_describe(fault, tree, path) for fault in faults.errors(include_url=False)]
        noun = "fault" if len(lines) == 1 else "faults"
        raise UserError(
            f"{path} has {len(lines)} {noun}:\n" + "\n".join(f"  - {line}" for line in lines),
            why="a run with a wrong dial would be a run of something else",
            fix="change the lines named above; params.yaml explains each value beside it",
        ) from None


def with_changes(text: str, changes: dict[str, Any]) -> str:
    """params.yaml text with single scalar values replaced, comments and order kept.

    Args:
        text: the current content.
        changes: dotted path to new value, e.g. {"train.rank": 8}.

    Raises:
        UserError: if a path does not name an existing scalar.
    """
    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    edits: list[tuple[int, int, str]] = []
    for dotted, value in changes.items():
        node = _node(tree, tuple(dotted.split(".")))
        if not isinstance(node, yaml.ScalarNode):
            raise UserError(
                f"params.yaml has no single value at {dotted!r}",
                why="only existing dials can be changed from outside",
                fix="use a dotted path as it stands in params.yaml, e.g. train.rank",
            )
        written = yaml.safe_dump(value, default_flow_style=True).removesuffix("\n").removesuffix("\n...")
        edits.append((node.start_mark.index, node.end_mark.index, written))
    for start, end, written in sorted(edits, reverse=True):
        text = text[:start] + written + text[end:]
    return text


def _describe(fault: Any, tree: yaml.Node | None, path: Path) -> str:
    # A discriminated union puts its tag into the location ("sources", 0, "files", "path"): it is no key of the file.
    location = tuple(part for part in fault["loc"] if part not in ("python_docs", "files"))
    dotted = re.sub(r"\.(\d+)", r"[\1]", ".".join(str(part) for part in location)) or "the file as a whole"
    message = _one_line(str(fault["msg"])).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = "no such dial"
    value = "" if fault["type"] == "missing" or isinstance(fault["input"], dict) else f" = {fault['input']!r}"
    return f"{path}:{_line(tree, location)}: {dotted}{value}: {message}"


def _line(tree: yaml.Node | None, location: tuple[Any, ...]) -> int:
    """The line of the deepest part of `location` that stands in the file, from 1."""
    while location and _node(tree, location) is None:
        location = location[:-1]
    node = _node(tree, location)
    return node.start_mark.line + 1 if node is not None else 1


def _node(node: yaml.Node | None, location: tuple[Any, ...]) -> yaml.Node | None:
    for part in location:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and str(part).isdigit() and int(part) < len(node.value):
            node = node.value[int(part)]
        else:
            return None
    return node


def _one_line(text: str) -> str:
    return " ".join(text.split())
