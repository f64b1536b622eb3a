"""Speaks as vllm_worker.py does, and writes the sum of the last token and the adapter's number: no vLLM is needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TEXTS: dict[int, dict[str, Any]] = {}
ADAPTERS: dict[int, int] = {0: 0}


def say(**document: Any) -> None:
    print(json.dumps(document), flush=True)


def step() -> None:
    tokens = []
    for number, text in TEXTS.items():
        text["prompt"].append(text["prompt"][-1] + 1 + ADAPTERS[text["adapter"]])
        text["most"] -= 1
        tokens.append((number, text["prompt"][-1]))
    say(tokens=tokens)
    for number in [number for number, text in TEXTS.items() if text["most"] == 0]:
        del TEXTS[number]


first = json.loads(sys.stdin.readline())
if not Path(first["model"]).exists():
    sys.exit(f"there is no {first['model']}")
say(ready=True)
for line in sys.stdin:
    said = json.loads(line)
    if "load" in said:
        file = Path(said["folder"]) / "adapter.txt"
        if file.exists():
            ADAPTERS[said["load"]] = int(file.read_text())
        say(loaded=said["load"], fault="" if file.exists() else "it is of wax")
    ADAPTERS.pop(said.get("forget"), None)
    TEXTS |= {text["number"]: text for text in said.get("add", ())}
    for number in said.get("drop", ()):
        TEXTS.pop(number, None)
    for _ in range(3 if "add" in said else 0):
        step()
