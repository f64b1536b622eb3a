"""Reading params.yaml: every fault at once, with its value and line; and changing single dials in its text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from acclimate.core.errors import UserError
from acclimate.core.params.chat import JudgeParams
from acclimate.core.params.contamination import DecontaminateParams
from acclimate.core.params.data import (
    CleanParams,
    DedupParams,
    MixParams,
    SplitParams,
    ValidateParams,
)
from acclimate.core.params.endpoint import EndpointParams
from acclimate.core.params.evaluation import EvaluationSetParams
from acclimate.core.params.fields import CommonParams, Section
from acclimate.core.params.ingest import IngestParams
from acclimate.core.params.manifests import ManifestsParams
from acclimate.core.params.model import (
    AlignParams,
    BaselineParams,
    BaseParams,
    ComposeParams,
    GateParams,
    ScoreParams,
    TrainDomainParams,
    TrainingParams,
    TrainTaskParams,
)
from acclimate.core.params.release import (
    CanaryParams,
    DriftParams,
    EvaluateQuantizedParams,
    PackageParams,
    QuantizeParams,
    RegistryParams,
    TransformParams,
)
from acclimate.core.params.training import impossible
from acclimate.core.yaml_text import parse_yaml

_KINDS = ("python_docs", "files", "s3", "huggingface", "feed")


class Params(Section):
    """params.yaml as a whole, in pipeline order."""

    common: CommonParams
    ingest: IngestParams
    validate_: ValidateParams = Field(alias="validate")
    clean: CleanParams
    split: SplitParams
    evaluation_set: EvaluationSetParams
    dedup: DedupParams
    decontaminate: DecontaminateParams
    mix: MixParams
    base: BaseParams
    baseline: BaselineParams
    score: ScoreParams
    training: TrainingParams
    train_domain: TrainDomainParams
    train_task: TrainTaskParams
    align: AlignParams
    compose: ComposeParams
    gate: GateParams
    judge: JudgeParams
    quantize: QuantizeParams
    evaluate_quantized: EvaluateQuantizedParams
    package: PackageParams
    registry: RegistryParams
    endpoint: EndpointParams
    canary: CanaryParams
    transform: TransformParams
    manifests: ManifestsParams
    drift: DriftParams

    @model_validator(mode="after")
    def _something_is_trained_on_what_there_is(self) -> Params:
        domain, task = self.train_domain, self.train_task
        if not domain.enabled and not task.enabled:
            raise ValueError(
                "train_domain.enabled and train_task.enabled are both false, so there would be no adapter: set one to "
                "true"
            )
        if task.enabled and task.start_from == "domain" and not domain.enabled:
            raise ValueError(
                "train_task.start_from is domain and train_domain.enabled is false, so there is no domain adapter to "
                "start from: set start_from to base, or enabled to true"
            )
        if task.enabled and domain.enabled and task.start_from == "base" and self.training.strategy == "dora":
            raise ValueError(
                "training.strategy is dora and train_task.start_from is base: two DoRA adapters trained side by side "
                "do not add up to one. Set start_from to domain, strategy to lora or rslora, or one stage's enabled "
                "to false"
            )
        return self

    @model_validator(mode="after")
    def _training_goes_with_its_stages(self) -> Params:
        if fault := impossible(self.training, self.train_domain, self.train_task, self.align):
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _there_is_something_to_prefer(self) -> Params:
        if self.align.enabled and self.decontaminate.preferences is None:
            raise ValueError(
                "align.enabled is true and decontaminate.preferences is null, so there are no pairs of answers to "
                "learn from: name their files there, or set enabled to false"
            )
        return self

    @model_validator(mode="after")
    def _a_penalty_is_on_what_is_added(self) -> Params:
        domain = self.train_domain
        if domain.enabled and domain.penalty != "none" and self.training.strategy == "dora":
            raise ValueError(
                f"train_domain.penalty is {domain.penalty} and training.strategy is dora: the penalty is on a change "
                "that is added to the weights, and DoRA rescales them besides. Set penalty to none, or strategy to "
                "lora or rslora"
            )
        return self

    @model_validator(mode="after")
    def _importance_is_measured_on_whole_weights(self) -> Params:
        domain = self.train_domain
        if domain.enabled and domain.penalty == "ewc" and self.training.base_weights == "nf4":
            raise ValueError(
                "train_domain.penalty is ewc and training.base_weights is nf4: what general text needs is the gradient "
                "of the base's weights, and there is none of weights in four bits. Set penalty to none or l2_sp, or "
                "base_weights to float32"
            )
        return self

    @model_validator(mode="after")
    def _every_process_has_something_to_do(self) -> Params:
        sections = {"train_domain": self.train_domain, "train_task": self.train_task, "align": self.align}
        for name, section in sections.items():
            if section.enabled and section.batch_sequences < self.training.processes:
                raise ValueError(
                    f"training.processes is {self.training.processes} and {name}.batch_sequences is "
                    f"{section.batch_sequences}: a process without a sequence would do nothing. Lower processes, or "
                    "raise batch_sequences"
                )
        return self

    @model_validator(mode="after")
    def _only_independent_adapters_are_weighted(self) -> Params:
        domain, task = self.train_domain, self.train_task
        independent = domain.enabled and task.enabled and task.start_from == "base"
        if not independent and not self.compose.plain_sum:
            upon = domain.enabled and task.enabled
            why = (
                "train_task.start_from is domain: the task adapter was trained upon the whole domain adapter, and fits "
                "nothing but their sum"
                if upon
                else "only one adapter is trained, and it is passed on as it is"
            )
            raise ValueError(
                f"compose.combination, domain_weight or task_weight is not cat, 1 and 1, but {why}. Set them so, or "
                "train both adapters with train_task.start_from: base"
            )
        return self

    @model_validator(mode="after")
    def _what_is_packaged_is_made_and_can_be_served(self) -> Params:
        weights, forms = self.package.weights, self.quantize.forms
        if fault := self.package.not_for(self.endpoint.engine):
            raise ValueError(fault)
        if self.package.is_gguf and weights not in forms:
            raise ValueError(
                f"package.weights is {weights} and quantize.forms is {forms}, so it would not be made: name it "
                "among the forms, or set package.weights to quantized or merged"
            )
        return self

    @model_validator(mode="after")
    def _the_base_is_there_to_be_asked(self) -> Params:
        if self.endpoint.base_below is not None and self.package.weights != "adapter":
            raise ValueError(
                f"endpoint.base_below is {self.endpoint.base_below} and package.weights is {self.package.weights}: the "
                "base is in the endpoint's memory only where an adapter is packaged beside it. Set base_below to null, "
                "or weights to adapter"
            )
        return self

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
        values = parse_yaml(text)
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
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
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
        changes: dotted path to new value, e.g. {"training.rank": 8}.

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
                fix="use a dotted path as it stands in params.yaml, e.g. training.rank",
            )
        written = yaml.safe_dump(value, default_flow_style=True).removesuffix("\n").removesuffix("\n...")
        edits.append((node.start_mark.index, node.end_mark.index, written))
    for start, end, written in sorted(edits, reverse=True):
        text = text[:start] + written + text[end:]
    return text


def _describe(fault: Any, tree: yaml.Node | None, path: Path) -> str:
    # A discriminated union puts its tag into the location ("sources", 0, "files", "path"): it is no key of the file.
    location = tuple(part for part in fault["loc"] if part not in _KINDS)
    dotted = re.sub(r"\.(\d+)", r"[\1]", ".".join(str(part) for part in location)) or "the file as a whole"
    message = _one_line(str(fault["msg"])).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = "no such dial"
    told = fault["type"] != "missing" and not isinstance(fault["input"], dict)
    value = f" = {_without_password(repr(fault['input']))}" if told else ""
    return f"{path}:{_line(tree, location)}: {dotted}{value}: {message}"


def _without_password(value: str) -> str:
    """`value` without the user and password that an address in it may carry: messages end up in logs."""
    return re.sub(r"://[^/\s]*@", "://***@", value)


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
