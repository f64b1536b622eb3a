"""The task open_run of every DAG: a new run, or the run that an asset, a person or the shelf names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from acclimate.core.dag_runs import note_dag_run
from acclimate.core.errors import UserError
from acclimate.core.home import home
from acclimate.core.reports import report_path
from acclimate.core.runs import key_of, open_run, run_path, runs
from acclimate.core.yaml_text import parse_yaml
from orchestration.faults import told


class OpenRunOperator(BaseOperator):
    """Opens a new run, named after the DAG run, with the trigger form's answers in its params.yaml.

    An answer that is what params.yaml says already changes nothing. Dials that were not asked about are those
    of params.yaml now, not those of the moment when this DAG was last parsed.
    """

    ui_color = "#d9a441"

    def __init__(self, *, dials: Mapping[str, str] | None = None, **settings: Any) -> None:
        """`dials`: name in the trigger form to dotted dial of params.yaml."""
        super().__init__(**settings)
        self.dials = dict(dials or {})

    @told
    def execute(self, context: Context) -> str:
        """Open the run and return its key."""
        run_id = context["dag_run"].run_id
        key = key_of(run_id)
        changes = self._changes(context["dag_run"].conf or {})
        path = open_run(home(), key, changes)
        note_dag_run(home(), self.dag_id, run_id, key)
        self.log.info("run %s in %s, changes: %s", key, path, changes or "none")
        return key

    def _changes(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(answers) - set(self.dials))
        if unknown:
            raise UserError(
                f"the run was triggered with {', '.join(unknown)}, which this DAG does not know",
                why="it would be ignored silently",
                fix=f"use {', '.join(self.dials) or 'no configuration'}",
            )
        params = parse_yaml((home() / "params.yaml").read_text(encoding="utf-8"))
        asked = {self.dials[name]: value for name, value in answers.items()}
        return {dial: value for dial, value in asked.items() if value != _dial(params, dial)}


class FollowRunOperator(BaseOperator):
    """Takes up a run: the one whose asset event started this DAG run, else the one a person named, else the newest."""

    template_fields: Sequence[str] = ("named",)
    ui_color = "#d9a441"

    def __init__(self, *, finished: str, named: str = "{{ params.run or '' }}", **settings: Any) -> None:
        """`finished`: the stage whose report a run must have, to be taken up as the newest."""
        super().__init__(**settings)
        self.finished = finished
        self.named = named

    @told
    def execute(self, context: Context) -> str:
        """Return the key of the run to go on with."""
        events = [event for found in context["triggering_asset_events"].values() for event in found]
        keys = [event.extra["run"] for event in sorted(events, key=lambda event: event.timestamp)]
        for older in keys[:-1]:
            self.log.warning("run %s is passed over: a newer one came in before this DAG run started", older)
        key = str(keys[-1] if keys else self.named or self._newest())
        self.log.info("going on with run %s in %s", key, run_path(home(), key))
        note_dag_run(home(), self.dag_id, context["dag_run"].run_id, key)
        return key

    def _newest(self) -> str:
        for run in runs(home()):
            if report_path(self.finished, run_path(home(), run.key)).exists():
                return run.key
        raise UserError(
            f"no run has finished the stage {self.finished}",
            why="there is nothing to go on with",
            fix="trigger adapt_data, which starts the others",
        )


def _dial(params: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        params = params[part]
    return params
