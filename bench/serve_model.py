"""The model and the questions of bench/serve.py: params.base's shape, its weights drawn, nothing trained.

    folder/model                      config.json, model.safetensors, tokenizer.json, …
    folder/package                    the same as it is packaged for the endpoint, signed with a key made here
    folder/.acclimate/endpoint        what tells the endpoint to serve it
    folder/gguf/…                     the same three of its form FORM, with model.gguf instead of safetensors

An answer costs what an answer of a trained model costs, and is always as long as it may be: who writes more tokens in
a second is faster, not more taciturn.
"""

from __future__ import annotations

import inspect
import itertools
import os
import pydoc_data.topics
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.files import write_json

if TYPE_CHECKING:
    from acclimate.core.params import Params

NEW_TOKENS = 32
SEED = 1729
FORM = "gguf-q8_0"


@cache
def prompts() -> list[str]:
    """Questions in the form in which questions are trained."""
    modules = (os, os.path, shutil, itertools, inspect)
    names = sorted({f"{module.__name__}.{name}" for module in modules for name in dir(module) if name[0].islower()})
    return [f"Question: What does {name} do?\nAnswer:" for name in names]


def make(folder: Path, params: Params) -> Path:
    """Fill `folder`; returns the model's own folder."""
    import torch

    from acclimate.model import tiny

    torch.manual_seed(SEED)
    texts = list(pydoc_data.topics.topics.values())
    tokenizer = tiny.train_tokenizer(texts, params.base.vocabulary, params.base.sequence_tokens)
    network = tiny.new_model(params.base, len(tokenizer))
    model = folder / "model"
    network.save_pretrained(model)
    tokenizer.save_pretrained(model)
    _package(model, folder, params, name=str(model))
    return model


def make_gguf(folder: Path, model: Path, params: Params) -> Path:
    """Fill `folder`/gguf with the form FORM of `model`; returns the form's own folder.

    Raises:
        RuntimeError: if the form cannot be made.
    """
    from acclimate.release.forms.making import make_apart

    forms = folder / "gguf"
    texts = prompts()[:8]
    made = make_apart(FORM, params.quantize, params.common, merged=model, texts=texts, out=forms)
    if made.failure is not None:
        raise RuntimeError(f"{FORM}: {made.failure}")
    (forms / FORM).rename(forms / "model")
    _package(forms / "model", forms, params, name=str(model))
    return forms / "model"


def _package(model: Path, home: Path, params: Params, *, name: str) -> None:
    from acclimate.release.keys import public_half, signing_key, trusted_key
    from acclimate.release.roles import places
    from acclimate.release.signing import sign
    from acclimate.release.weights import folder_sha256
    from acclimate.serving.models import packaged_in
    from acclimate.serving.state import Serving

    os.environ["ACCLIMATE_HOME"] = str(home)
    package = home / "package"
    shutil.copytree(model, package / "model")
    manifest = {
        "model": name,  # so that every server is asked for the same name
        "version": "1",
        "sha256": folder_sha256(model),
        "prompt": "Question: {question}\nAnswer:",
        "max_prompt_tokens": params.package.max_prompt_tokens,
        "max_new_tokens": max(NEW_TOKENS, params.package.max_new_tokens),
        "threads": params.common.threads,
    }
    write_json(package / "manifest.json", manifest)
    (package / "signing.pub").write_text(public_half(signing_key()), encoding="utf-8")
    sign(package, signing_key())
    trusted_key()
    write_json(places().settings, {**params.endpoint.model_dump(mode="json"), "keys": "auto"})
    serving = Serving(champion=packaged_in(package))
    places().serving.write_text(serving.model_dump_json(), encoding="utf-8")
