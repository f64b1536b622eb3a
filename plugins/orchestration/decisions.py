"""Where a run may end early without being a failure: verdicts in reports, and a person's answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context

from acclimate.core.files import read_json
from acclimate.core.home import home
from acclimate.core.reports import read_report
from acclimate.core.runs import run_path
from acclimate.core.yaml_text import parse_yaml
from orchestration.faults import told
from orchestration.place import RUN_KEY


@told
def passed(run: str, stage: str) -> bool:
    """Whether the gate `stage` of run `run` said yes; its reasons go to the log either way."""
    report = read_report(stage, run_path(home(), run))
    print("\n".join([report["headline"], *report["reasons"]]))
    return bool(report["verdict"] == "promote")


@told
def is_new(run: str) -> bool:
    """Whether the candidate is another adapter than the champion it would be compared with."""
    worktree = run_path(home(), run)
    champion = read_json(worktree / "champion/champion.json")
    candidate = read_report("compose", worktree)["adapter_sha256"]
    same = champion.get("adapter_sha256") == candidate
    print(f"candidate {candidate[:12]}: " + ("already champion" if same else "new"))
    return not same


class PromotionApproval(ApprovalOperator):
    """Asks a person before the champion changes, if the run's registry.approval says so; else goes on at once.

    A refusal skips what comes after; nothing fails. The answer is given in the UI, or by
    PATCH …/taskInstances/approval/-1/hitlDetails with {"chosen_options": ["Approve"]}.
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "run_key")

    def __init__(self, *, run_key: str = RUN_KEY, **settings: Any) -> None:
        # A person may take days: no time limit, neither the DAG's default for tasks.
        super().__init__(subject=f"Release the model of run {run_key}?", execution_timeout=None, **settings)
        self.run_key = run_key

    def execute(self, context: Context) -> Any:
        """Ask, or return at once."""
        worktree = told(run_path)(home(), self.run_key)
        params = parse_yaml((worktree / "params.yaml").read_text(encoding="utf-8"))
        if not params["registry"]["approval"]:
            self.log.info("registry.approval is false: nobody is asked")
            return None
        gate, quantized = read_report("gate", worktree), read_report("evaluate_quantized", worktree)
        self.body = "\n".join(
            [
                f"**Gate:** {gate['headline']}",
                *(f"- {reason}" for reason in gate["reasons"]),
                "",
                f"**Quantised:** {quantized['headline']}",
                *(f"- {reason}" for reason in quantized["reasons"]),
                "",
                "The tab *Report* of this DAG run shows everything behind it.",
            ]
        )
        return super().execute(context)
