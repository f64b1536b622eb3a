r"""The registered model as MLflow runs it: base model plus adapter, from safetensors files, no pickle.

    model = mlflow.pyfunc.load_model("models:/acclimate-scientific-python@champion")
    model.predict(["Question: What does numpy.argsort do?\nAnswer:"])

Logged "models from code": MLflow stores this file and runs it on load, where Acclimate itself need not be
installed. A peft model logged by mlflow.transformers would come back with layers initialised at random
(MLflow 3.17: base weights are stored under the names of the wrapped layers).
"""

from __future__ import annotations

from typing import Any

import mlflow
from mlflow.pyfunc import PythonModel


class AdaptedModel(PythonModel):  # type: ignore[misc]  # MLflow is untyped
    """Completes prompts greedily; in Python it also gives the logits behind them."""

    def load_context(self, context: Any) -> None:
        """Load the base, from the artifacts or by its hub id and revision, and the adapter on it.

        In float32 and with the adapter beside the weights, as it was trained and judged: another precision, or
        merging, would give other logits.
        """
        import torch
        from peft import PeftModel
        from transformers import AutoModelForCausalLM, AutoTokenizer

        config = context.model_config
        base = context.artifacts.get("base") or config["base_id"]
        revision = None if "base" in context.artifacts else config["base_revision"]
        self.tokenizer = AutoTokenizer.from_pretrained(base, revision=revision, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(base, revision=revision, dtype=torch.float32, use_safetensors=True)
        self.model = PeftModel.from_pretrained(model, context.artifacts["adapter"]).eval()

    def predict(self, context: Any, model_input: list[str], params: dict[str, Any] | None = None) -> list[str]:
        """The completion of each prompt, without the prompt; `params` may hold max_new_tokens."""
        asked = params or {}
        encoded = self.tokenizer(model_input, return_tensors="pt", padding=True, return_token_type_ids=False)
        written = self.model.generate(
            **encoded,
            max_new_tokens=int(asked.get("max_new_tokens", 64)),
            do_sample=False,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        texts: list[str] = self.tokenizer.batch_decode(
            written[:, encoded["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return texts

    def logits(self, text: str) -> Any:
        """The logits after every token of `text`, a tensor [tokens, vocabulary]; by unwrap_python_model()."""
        import torch

        encoded = self.tokenizer(text, return_tensors="pt", return_token_type_ids=False)
        with torch.no_grad():
            return self.model(**encoded).logits[0]


mlflow.models.set_model(AdaptedModel())
