"""params.yaml as frozen typed sections, one per stage; every fault is reported at once.

    params = load(Path("params.yaml"))
    params.dedup.threshold        # 0.8

Below the edge, functions receive their own section and `common`, never the whole.
"""

from __future__ import annotations

from acclimate.core.params.chat import ChatModel, Criterion, JudgeParams, Juror
from acclimate.core.params.contamination import DecontaminateParams, Preferences
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
from acclimate.core.params.file import Params, load, with_changes
from acclimate.core.params.guardrails import GuardrailsParams
from acclimate.core.params.ingest import (
    AnySource,
    FeedSource,
    FilesSource,
    Format,
    HuggingFaceSource,
    IngestLimits,
    IngestParams,
    PythonDocsSource,
    Reading,
    RemoteSource,
    S3Source,
    Source,
)
from acclimate.core.params.manifests import ManifestsParams
from acclimate.core.params.model import (
    AlignParams,
    BaselineParams,
    BaseParams,
    ComposeParams,
    GateParams,
    ObserveParams,
    OtherBaseParams,
    SanityParams,
    ScoreParams,
    StepsParams,
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

__all__ = [
    "AlignParams",
    "AnySource",
    "BaseParams",
    "BaselineParams",
    "CanaryParams",
    "ChatModel",
    "CleanParams",
    "CommonParams",
    "ComposeParams",
    "Criterion",
    "DecontaminateParams",
    "DedupParams",
    "DriftParams",
    "EndpointParams",
    "EvaluateQuantizedParams",
    "EvaluationSetParams",
    "FeedSource",
    "FilesSource",
    "Format",
    "GateParams",
    "GuardrailsParams",
    "HuggingFaceSource",
    "IngestLimits",
    "IngestParams",
    "JudgeParams",
    "Juror",
    "ManifestsParams",
    "MixParams",
    "ObserveParams",
    "OtherBaseParams",
    "PackageParams",
    "Params",
    "Preferences",
    "PythonDocsSource",
    "QuantizeParams",
    "Reading",
    "RegistryParams",
    "RemoteSource",
    "S3Source",
    "SanityParams",
    "ScoreParams",
    "Section",
    "Source",
    "SplitParams",
    "StepsParams",
    "TrainDomainParams",
    "TrainTaskParams",
    "TrainingParams",
    "TransformParams",
    "ValidateParams",
    "load",
    "with_changes",
]
