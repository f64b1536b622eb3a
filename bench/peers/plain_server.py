"""The loop that a model is put behind HTTP with first: FastAPI, `generate`, one request at a time.

python bench/peers/plain_server.py MODEL THREADS PORT
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModelForCausalLM, AutoTokenizer

FOLDER, THREADS, PORT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class Ask(BaseModel):
    """What is read of a request."""

    prompt: str
    max_tokens: int


torch.set_num_threads(THREADS)
tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = AutoModelForCausalLM.from_pretrained(FOLDER).eval()
turn = threading.Lock()
app = FastAPI()


@app.get("/livez")
def live() -> dict[str, bool]:
    """Once the model is loaded."""
    return {"live": True}


@app.post("/v1/completions")
def complete(ask: Ask) -> dict[str, Any]:
    """Wait for one's turn, then generate."""
    with turn, torch.inference_mode():
        encoded = tokenizer(ask.prompt, return_tensors="pt", return_token_type_ids=False)
        written = model.generate(**encoded, max_new_tokens=ask.max_tokens, do_sample=False)[0]
    new = written[encoded["input_ids"].shape[1] :]
    text = tokenizer.decode(new, skip_special_tokens=True)
    return {"choices": [{"text": text}], "usage": {"completion_tokens": len(new)}}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
