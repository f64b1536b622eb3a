"""The engine alone for bench/serve.py: `generate`, one question after the other; prints the seconds of each as JSON.

python bench/serve_alone.py MODEL THREADS REQUESTS
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from serve_model import NEW_TOKENS, prompts

from acclimate.release.weights import load_model

WARM_REQUESTS = 2


def main() -> int:
    """Answer, and say how long each answer took."""
    folder, threads, requests = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    model, tokenizer = load_model(folder)
    seconds = []
    for number in range(-WARM_REQUESTS, requests):
        begun = time.perf_counter()
        with torch.inference_mode():
            encoded = tokenizer(prompts()[number % len(prompts())], return_tensors="pt", return_token_type_ids=False)
            written = model.generate(**encoded, max_new_tokens=NEW_TOKENS, do_sample=False)
            tokenizer.decode(written[0, encoded["input_ids"].shape[1] :])
        if number >= 0:
            seconds.append(time.perf_counter() - begun)
    print(json.dumps(seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
