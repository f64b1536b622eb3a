"""What a person is asked when triggering a DAG.

A new run: five dials of params.yaml, with its values as the defaults; a transform: what is answered, and by whom.
"""

from __future__ import annotations

from typing import get_args

from airflow.sdk import Param

from acclimate.core.home import home
from acclimate.core.params import MixParams, TrainingParams, load
from acclimate.core.records import GENERAL

DIALS = {
    "domain": "ingest.domain",
    "mix": "mix.strategy",
    "base_model": "base.model",
    "strategy": "training.strategy",
    "approval": "registry.approval",
}
"""Name in the form to the dial it sets."""


def run_form() -> dict[str, Param]:
    """The trigger form of a new run, as JSON schema.

    Raises:
        UserError: for a fault in params.yaml; Airflow shows it as this DAG's import error.
    """
    params = load(home() / "params.yaml")
    domains = sorted({source.domain for source in params.ingest.sources} - {GENERAL})
    return {
        "domain": Param(
            params.ingest.domain,
            type="string",
            enum=domains,
            title="Domain",
            description="What to adapt to: a domain of `ingest.sources` in params.yaml.",
        ),
        "mix": Param(
            params.mix.strategy,
            type="string",
            enum=list(get_args(MixParams.model_fields["strategy"].annotation)),
            title="Mix",
            description="How the training set is composed: shares, quality, a curriculum (docs/data.md, Composition).",
        ),
        "base_model": Param(
            params.base.model,
            type="string",
            minLength=1,
            title="Base model",
            description="`local:tiny`, a folder with safetensors, or a hub id.",
        ),
        "strategy": Param(
            params.training.strategy,
            type="string",
            enum=list(get_args(TrainingParams.model_fields["strategy"].annotation)),
            title="Adapter",
            description="`lora`; `rslora` scales better at high ranks; `dora` learns direction and magnitude, slower; "
            "`full` trains all weights, which takes a lower learning rate and far more memory.",
        ),
        "approval": Param(
            params.registry.approval,
            type="boolean",
            title="Ask before release",
            description="Whether a person has to approve before the champion changes.",
        ),
    }


def follow_form() -> dict[str, Param]:
    """The trigger form of a DAG that goes on with a run: which one."""
    return {
        "run": Param(
            None,
            type=["null", "string"],
            title="Run",
            description="Key of the run to go on with (`acclimate run list`); empty: the newest that came this far.",
        )
    }


def transform_form() -> dict[str, Param]:
    """The trigger form of a transform: what is answered, by whom, and where the answers go."""
    return {
        "input": Param(
            type="string",
            minLength=1,
            title="Input",
            description="A file of records on the worker (.jsonl, .parquet), or `s3://bucket/prefix`.",
        ),
        "out": Param(
            type="string",
            minLength=1,
            title="Answers",
            description="Folder for the answers; the one of a transform that was ended goes on with it.",
        ),
        "model": Param(
            "champion",
            type="string",
            minLength=1,
            title="Model",
            description="Version or alias of the registered model, or the folder of a Bento.",
        ),
    }
