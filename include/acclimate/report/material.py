"""What a page is written from: the reports, dvc.lock, params.yaml and git of one checkout.

material = Material(Path())
gate = material.report("gate", GateReport)   # or Missing: the stage has not run

Nothing is written and nothing is imported beyond the checkout's own files.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from acclimate.core.files import read_json
from acclimate.core.home import state
from acclimate.core.ledger import Use, read_ledger
from acclimate.core.reports import report_path
from acclimate.core.yaml_text import parse_yaml
from acclimate.model.scoring.efficiency import Efficiency
from acclimate.model.scoring.measurements import FOLDER, kept
from acclimate.pipeline import STAGES
from acclimate.release.forms.measuring import SPEEDS, Speed
from acclimate.report.blocks import Missing

T = TypeVar("T")


@dataclass(frozen=True)
class Git:
    """Where the checkout stands; `commit` is None outside git, and `problem` then says why."""

    commit: str | None
    committed: str | None
    """ISO 8601 time of the commit."""
    changed: tuple[str, ...]
    """Paths that differ from the commit, as `git status --porcelain` names them."""
    problem: str | None = None


@dataclass(frozen=True)
class Seconds:
    """Wall-clock seconds of one stage: until its libraries were imported, and after."""

    start_up: float
    work: float


@dataclass
class Hits:
    """Training texts that one rule found, as lines of hits.jsonl."""

    first: list[dict[str, Any]]
    total: int


@dataclass(frozen=True)
class Material:
    """Everything below one checkout that a page is written from; reads, never writes."""

    root: Path
    main: Path | None = None
    """The main checkout, which keeps the ledger of the test set; None where there is none to ask."""

    def uses(self) -> list[Use]:
        """Every use of the locked test set of the domain in params.yaml, oldest first."""
        domain = self.params.get("ingest", {}).get("domain")
        return read_ledger(self.main, domain) if self.main and domain else []

    def report(self, stage: str, shape: type[T]) -> T | Missing:
        """The report of `stage` as the dataclass that wrote it.

        Returns:
            Missing if the stage has not run, or if its report has other fields than `shape`: then another
            version of the stage wrote it, and running the stage again mends it.
        """
        from pydantic import TypeAdapter, ValidationError

        path = report_path(stage, self.root)
        command = f"dvc repro {stage}" if stage in STAGES else f"acclimate {stage}"
        if not path.exists():
            return Missing(f"There is no report of {stage}.", command)
        try:
            return TypeAdapter(shape).validate_json(path.read_bytes())
        except ValidationError as fault:
            first = fault.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            text = f"The report of {stage} is from another version of it ({where}: {first['msg'].lower()})."
            return Missing(text, command, "outdated")

    @cached_property
    def lock(self) -> dict[str, dict[str, Any]]:
        """The stages of dvc.lock: cmd, deps, params, outs; empty before the first `dvc repro`."""
        path = self.root / "dvc.lock"
        lock: dict[str, Any] = parse_yaml(path.read_text(encoding="utf-8")) if path.exists() else {}
        return dict(lock.get("stages", {}))

    @cached_property
    def params_text(self) -> str:
        """params.yaml as it stands."""
        path = self.root / "params.yaml"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @cached_property
    def params(self) -> dict[str, Any]:
        """params.yaml as plain values; unchecked, because a page may be written from an older one."""
        return dict(parse_yaml(self.params_text) or {})

    @cached_property
    def committed_params(self) -> dict[str, Any] | None:
        """params.yaml of the commit the checkout stands on, or None if git has none."""
        text = self._git("show", "HEAD:./params.yaml")
        return None if isinstance(text, GitFault) else dict(parse_yaml(text) or {})

    @cached_property
    def git(self) -> Git:
        """Commit and what was changed since."""
        head = self._git("show", "--no-patch", "--format=%H %cI", "HEAD")
        if isinstance(head, GitFault):
            return Git(None, None, (), head.message)
        status = self._git("status", "--porcelain")
        changed = [] if isinstance(status, GitFault) else [line[3:] for line in status.splitlines()]
        commit, committed = head.split()
        return Git(commit, committed, tuple(changed))

    @cached_property
    def seconds(self) -> dict[str, Seconds]:
        """Seconds per stage, of those that have a file in timings/."""
        files = sorted((self.root / "timings").glob("*.json"))
        return {
            file.stem: Seconds(value["start_up_s"], value["work_s"])
            for file in files
            if "work_s" in (value := read_json(file))
        }

    def efficiency(self, candidate_sha256: str) -> Efficiency | None:
        """What an answer of the candidate costs on this machine; None if it was not measured here."""
        return kept(state(self.main or self.root) / FOLDER, candidate_sha256)

    @cached_property
    def speeds(self) -> dict[str, Speed]:
        """Form of the model to how quick it was on the machine that measured it; empty if none was timed."""
        path = self.root / "timings" / SPEEDS
        found = read_json(path) if path.exists() else {}
        return {form: Speed(**speed) for form, speed in found.items()}

    def rejects(self, stage: str, per_reason: int) -> dict[str, list[dict[str, Any]]]:
        """The first rejected records of each reason, in file order; read line by line, files may be long."""
        examples: dict[str, list[dict[str, Any]]] = {}
        path = self.root / "artifacts" / stage / "rejected.jsonl"
        if not path.exists():
            return examples
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                of_reason = examples.setdefault(row["reason"], [])
                if len(of_reason) < per_reason:
                    of_reason.append(row)
        return examples

    def hits(self, per_rule: int) -> dict[str, Hits]:
        """The first overlaps with evaluation items by each rule, in file order, and how many there are."""
        found: dict[str, Hits] = {}
        for name in ("hits.jsonl", "flagged.jsonl"):
            path = self.root / "artifacts/decontaminate" / name
            if not path.exists():
                continue
            with path.open(encoding="utf-8") as lines:
                for hit in map(json.loads, lines):
                    of_rule = found.setdefault(hit["rule"], Hits([], 0))
                    of_rule.total += 1
                    if len(of_rule.first) < per_rule:
                        of_rule.first.append(hit)
        return found

    def dataset_tags(self, sha256: str) -> list[str]:
        """The versions that a training set of this hash has been tagged as."""
        found = self._git("tag", "--list", f"dataset/*-{sha256[:8]}")
        return [] if isinstance(found, GitFault) else found.splitlines()

    def _git(self, *arguments: str) -> str | GitFault:
        if shutil.which("git") is None:
            return GitFault("git is not installed")
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        return done.stdout.rstrip("\n") if done.returncode == 0 else GitFault(done.stderr.strip())


@dataclass(frozen=True)
class GitFault:
    """What git said when it had no answer."""

    message: str
