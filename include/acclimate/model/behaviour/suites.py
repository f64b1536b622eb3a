r"""The files in inputs/behaviour/, one capability each: what a model should be able to do, and what should not matter.

    capability: reductions
    tests:
      - name: knows what a reduction does
        kind: minimum_functionality
        prompt: "Question: What does numpy.{function} do?\nAnswer: Return the"
        expected: " {what}"
        others: [" path of a file", " name of the user"]
        fill:
          - {function: sum, what: sum of the elements}

The three kinds are those of Ribeiro et al. 2020 (Beyond Accuracy: Behavioral Testing of NLP Models with CheckList,
section 2.2). A model answers with the likeliest of the given texts:

    minimum_functionality   `expected` is likelier than each of `others`
    invariance              after `changed`, the likeliest of `choices` is the one it was after `prompt`
    directional             after `changed`, `expected` is likelier than after `prompt`

`fill` makes a case of each of its rows; what stands in braces is replaced.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from acclimate.core.errors import UserError
from acclimate.core.yaml_text import parse_yaml

Text = Annotated[str, Field(min_length=1)]
STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)
Kind = Literal["minimum_functionality", "invariance", "directional"]
NEEDED = {
    "minimum_functionality": {"expected", "others"},
    "invariance": {"changed", "choices"},
    "directional": {"changed", "expected"},
}
"""What a test of each kind has beside its name and prompt."""


class BehaviourTest(BaseModel):
    """A template, and the rows that fill it."""

    model_config = STRICT

    name: Text
    kind: Kind
    prompt: Text
    changed: Text | None = None
    expected: Text | None = None
    others: Annotated[list[Text], Field(min_length=1)] | None = None
    choices: Annotated[list[Text], Field(min_length=2)] | None = None
    fill: Annotated[list[dict[str, str]], Field(min_length=1)] = Field(default_factory=lambda: [dict[str, str]()])

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> BehaviourTest:
        given = {name for name in ("changed", "expected", "others", "choices") if getattr(self, name) is not None}
        needed = NEEDED[self.kind]
        if given != needed:
            has = ", ".join(sorted(given)) or "none of them"
            raise ValueError(f"a test of kind {self.kind} has {' and '.join(sorted(needed))}, this one has {has}")
        for row in self.fill:
            if missing := sorted(self._placeholders() - row.keys()):
                raise ValueError(f"no value for {', '.join(missing)} in the row {row} of fill")
        return self

    def _placeholders(self) -> set[str]:
        texts = [self.prompt, self.changed or "", self.expected or "", *(self.others or []), *(self.choices or [])]
        return {name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name is not None}


class Suite(BaseModel):
    """A file: a capability and its tests."""

    model_config = STRICT

    capability: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    tests: Annotated[list[BehaviourTest], Field(min_length=1)]


@dataclass(frozen=True)
class Case:
    """A test with one of its rows filled in."""

    id: str
    capability: str
    test: str
    kind: Kind
    prompts: tuple[str, ...]
    """One, or the one before and the one after the change."""
    choices: tuple[str, ...]
    """What may follow; of a minimum functionality test the first is expected."""


def read_cases(folder: Path, capabilities: Sequence[str]) -> list[Case]:
    """Every case of the files in `folder` that are about one of `capabilities`, in their order.

    Raises:
        UserError: naming every fault of every file, or a capability that no file or more than one file has.
    """
    if not capabilities:
        return []
    suites: dict[str, Suite] = {}
    faults: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        suite = _suite(path, faults)
        if suite is not None and suite.capability in suites:
            faults.append(f"{path}: another file has the capability {suite.capability} too")
        elif suite is not None:
            suites[suite.capability] = suite
    if not faults:
        faults = [f"{folder}: no file has the capability {name}" for name in capabilities if name not in suites]
    if faults:
        raise UserError(
            "\n  - ".join([f"{len(faults)} faults in behavioural tests:", *faults]),
            why="a test that is not put to the model would look like one that was passed",
            fix="correct the files (inputs/behaviour/README.md) or score.observe.behaviour in params.yaml",
        )
    return [case for name in capabilities for case in _cases(suites[name])]


def _suite(path: Path, faults: list[str]) -> Suite | None:
    """The suite in a file; None if it has faults, which are added to `faults`."""
    try:
        return Suite.model_validate(parse_yaml(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        faults.append(f"{path}: {' '.join(str(fault).split())}")
    except ValidationError as fault:
        faults += [f"{path}: {_told(error)}" for error in fault.errors(include_url=False)]
    return None


def _cases(suite: Suite) -> list[Case]:
    return [
        Case(
            id=f"{suite.capability}/{test.name}/{number}",
            capability=suite.capability,
            test=test.name,
            kind=test.kind,
            prompts=tuple(text.format(**row) for text in (test.prompt, test.changed) if text is not None),
            choices=tuple(text.format(**row) for text in _choices(test)),
        )
        for test in suite.tests
        for number, row in enumerate(test.fill)
    ]


def _choices(test: BehaviourTest) -> list[str]:
    return test.choices or [test.expected or "", *(test.others or [])]


def _told(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: {' '.join(str(error['msg']).split()).removeprefix('Value error, ')}"
