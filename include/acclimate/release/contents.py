"""What a Bento is made of, as a folder: everything but what bentoml adds.

model/  adapter/          the weights that are served, and the adapter that is in them; or base and adapter in model/
relevance.safetensors     what tells texts of the domain from others, where the base can answer the others
manifest.json             hashes, limits, the form of a prompt
LICENCES.md  sbom.cdx.json  requirements.txt
settings.json             the endpoint's dials
service.py  acclimate/    the service, and the part of Acclimate that it needs
signing.pub               the public half of the key that signed all of it
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import acclimate
from acclimate.core.files import write_json, write_text
from acclimate.release.evidence import ADAPTER_FILES
from acclimate.release.notice import notice, training_licences
from acclimate.release.pins import closure, requirements
from acclimate.release.sbom import sbom
from acclimate.release.weights import GGUF, require_plain
from acclimate.serving.relevance import FILE as RELEVANCE
from acclimate.serving.shared_base import ADAPTER

SERVICE = Path(__file__).resolve().parents[3] / "bento"
SHIPPED = (
    *("core/errors.py", "core/params/endpoint.py", "core/params/fields.py", "core/params/guardrails.py"),
    *("core/libraries.py", "model/adapter.py"),
    *("release/sign*.py", "release/weights.py", "serving/*.py", "serving/canary/*.py", "serving/jobs/*.py"),
    *("release/unpacking.py", "serving/guardrails/*.py", "data/cleaning/redaction.py", "data/cleaning/pii/*.py"),
)
"""Of Acclimate itself: what the service imports."""
RUNTIME = (
    *("bentoml", "cryptography", "fastapi", "jinja2", "model-signing", "prometheus-client", "pydantic", "pyopenssl"),
    *("transformers", "tokenizers", "google-re2", "phonenumberslite", "python-stdnum"),
)
"""What the service imports for any model; with all that these need, pinned to what the model was judged with.

model-signing 1.1.1 imports pyopenssl and does not ask for it.
"""
TORCH, GPTQ, PEFT, LLAMA = ("torch", "safetensors"), ("gptqmodel", "optimum"), ("peft",), ("cyllama",)
"""Besides, for a model in safetensors; for one that was quantised with GPTQ; for an adapter beside its base; for a
GGUF file, instead of all of these."""
SBOM = "sbom.cdx.json"
NOTICE = "LICENCES.md"
PUBLIC_KEY = "signing.pub"


@dataclass(frozen=True)
class Ingredients:
    """Where the parts of a Bento come from."""

    model: Path
    adapter: Path
    records: Path
    """artifacts/mix/records.parquet: the licences of the training set."""
    manifest: Mapping[str, Any]
    settings: Mapping[str, Any]
    public_key: str
    """PEM."""
    relevance: bytes | None = None
    """The safetensors file of serving/relevance.py, if there is one."""


def fill(context: Path, parts: Ingredients) -> None:
    """Put everything into the empty folder `context`, from which bentoml builds.

    Raises:
        UserError: if the model has a file that could run code when it is opened.
    """
    require_plain(parts.model)
    shutil.copytree(SERVICE, context, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(parts.model, context / "model")
    if parts.manifest["weights"] != ADAPTER:
        (context / "adapter").mkdir()
        for file in ADAPTER_FILES:
            shutil.copyfile(parts.adapter / file, context / "adapter" / file)
    if parts.relevance is not None:
        (context / RELEVANCE).write_bytes(parts.relevance)
    _add_own_modules(context)
    write_json(context / "manifest.json", parts.manifest)
    write_json(context / "settings.json", parts.settings)
    write_text(context / PUBLIC_KEY, parts.public_key)
    packages = closure([*RUNTIME, *_libraries(parts)])
    licences = training_licences(parts.records)
    write_text(context / "requirements.txt", requirements(packages))
    write_text(context / NOTICE, notice(parts.manifest, licences))
    data_licences = {licence for _, licence in licences}
    write_text(context / SBOM, sbom(parts.manifest, context / "model", packages, data_licences))


def _libraries(parts: Ingredients) -> tuple[str, ...]:
    """What the model's own form needs."""
    if (parts.model / GGUF).exists():
        return LLAMA
    return (*TORCH, *{"quantized": GPTQ, ADAPTER: PEFT}.get(parts.manifest["weights"], ()))


def _add_own_modules(context: Path) -> None:
    """Put SHIPPED, and nothing else of Acclimate, into the Bento."""
    own, root = Path(acclimate.__file__).parent, context / "acclimate"
    for source in sorted(source for name in SHIPPED for source in own.glob(name)):
        target = root / source.relative_to(own)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for package in (root, *(folder for folder in root.rglob("*") if folder.is_dir())):
        if not (package / "__init__.py").exists():
            (package / "__init__.py").write_text('"""The part of Acclimate a Bento needs."""\n', encoding="utf-8")
