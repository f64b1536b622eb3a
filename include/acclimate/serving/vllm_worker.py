"""vLLM in a process of its own: token ids in, token ids out, several texts side by side, each by its own adapter.

    python -I vllm_worker.py        # in vLLM's environment, started and spoken to by engine_vllm.py; JSON, line by line

    in    {"model": "…/base", "window": 256, "sequences": 16, "adapters": 8, "rank": 32, "ends": [1]}       first, once
          {"load": 3, "folder": "…/adapter"}
          {"forget": 3}
          {"add": [{"number": 7, "prompt": [0, 17, 4], "most": 40, "temperature": 0.8, "top_p": 0.95, "seed": 12,
                    "adapter": 3}]}       adapter 0: none
          {"drop": [7]}                   nobody waits for it any more
    out   {"ready": true}                 it is loaded
          {"loaded": 3, "fault": ""}
          {"tokens": [[7, 301], …]}       a step: the next token of every text that has one

A text is over after a token of `ends`, or when it has its most tokens. The process ends when its input does. There is
no port: whoever could reach one would pass by keys, limits and guard rails. Nothing of Acclimate is imported.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from queue import Empty, SimpleQueue
from typing import Any

BLOCK = 128
"""Tokens whose keys and values vLLM keeps together, at most: on a CPU so many, on a GPU fewer."""


class Writer:
    """A network, and the adapters beside it."""

    def __init__(self, *, model: str, window: int, sequences: int, adapters: int, rank: int, ends: list[int]) -> None:
        """Load it.

        Args:
            model: its folder.
            window: the most tokens of one text, its prompt included.
            sequences: texts side by side, at most.
            adapters: beside it, at most; 0 for none ever.
            rank: of an adapter, at most.
            ends: tokens that end a text.
        """
        import torch
        from vllm import EngineArgs, LLMEngine

        cuda = torch.cuda.is_available()
        beside: dict[str, Any] = {
            "enable_lora": True,
            "max_loras": adapters,
            "max_cpu_loras": adapters,
            "max_lora_rank": rank,
        }
        self._engine = LLMEngine.from_engine_args(
            EngineArgs(
                model=model,
                load_format="safetensors",
                skip_tokenizer_init=True,
                generation_config="vllm",  # its own dials and no others: who asks says what is wanted
                dtype="bfloat16" if cuda else "float32",  # as release/weights.py loads it for the gate
                max_model_len=window,
                max_num_seqs=sequences,
                kv_cache_memory_bytes=_cache_bytes(model, window, sequences, width=2 if cuda else 4),
                # Asked to be free when it starts; what it takes is the weights and the line above.
                gpu_memory_utilization=0.01,
                enforce_eager=not cuda,
                disable_log_stats=True,
                **(beside if adapters else {}),
            )
        )
        self._ends = ends
        self._folders: dict[int, str] = {}

    @property
    def idle(self) -> bool:
        """Whether there is nothing to write."""
        return not self._engine.has_unfinished_requests()

    def load(self, number: int, folder: str) -> str:
        """Read an adapter, and say what is wrong with it; nothing if it is there."""
        self._folders[number] = folder
        try:
            self._engine.add_lora(self._adapter(number))
        except (RuntimeError, ValueError) as fault:
            del self._folders[number]
            return " ".join(str(fault).split()) or type(fault).__name__
        return ""

    def forget(self, number: int) -> None:
        """Let go of an adapter that nobody asks any more."""
        if self._folders.pop(number, None) is not None:
            self._engine.remove_lora(number)

    def add(self, asked: dict[str, Any]) -> None:
        """Write up to `most` tokens after a prompt as soon as there is room."""
        from vllm import SamplingParams
        from vllm.inputs import TokensPrompt
        from vllm.sampling_params import RequestOutputKind

        params = SamplingParams(
            temperature=asked["temperature"],
            top_p=asked["top_p"],
            seed=asked["seed"],
            max_tokens=asked["most"],
            stop_token_ids=self._ends,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )
        prompt = TokensPrompt(prompt_token_ids=asked["prompt"])
        adapter = self._adapter(asked["adapter"]) if asked["adapter"] else None
        self._engine.add_request(str(asked["number"]), prompt, params, lora_request=adapter)

    def drop(self, numbers: list[int]) -> None:
        """Write no more of these; those that are over already do not matter."""
        self._engine.abort_request([str(number) for number in numbers])

    def heed(self, said: dict[str, Any]) -> None:
        """Do what wants no answer."""
        for asked in said.get("add", ()):
            self.add(asked)
        if "drop" in said:
            self.drop(said["drop"])
        if "forget" in said:
            self.forget(said["forget"])

    def step(self) -> list[tuple[int, int]]:
        """The next token of every text that has one."""
        return [
            (int(output.request_id), token)
            for output in self._engine.step()
            for completion in output.outputs
            for token in completion.token_ids
        ]

    def _adapter(self, number: int) -> Any:
        from vllm.lora.request import LoRARequest

        return LoRARequest(str(number), number, self._folders[number])


def main() -> int:
    """Write until the input ends."""
    # What ends the service is told to all of its processes: this one is needed until the last answer is written.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    # What a library prints is not taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)

    def say(**document: Any) -> None:
        print(json.dumps(document), file=answers, flush=True)

    inbox: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
    threading.Thread(target=_read, args=(inbox,), daemon=True).start()
    if (first := inbox.get()) is None:
        return 0
    writer = Writer(**first)
    say(ready=True)
    while True:
        try:
            said = inbox.get(block=writer.idle)
        except Empty:
            say(tokens=writer.step())
        else:
            if said is None:
                return 0
            if "load" in said:
                say(loaded=said["load"], fault=writer.load(said["load"], said["folder"]))
            writer.heed(said)


def _cache_bytes(model: str, window: int, sequences: int, *, width: int) -> int:
    """Of the keys and values of so many texts of the full window, and a block that vLLM keeps for itself."""
    with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
        shape = json.load(file)
    heads = shape.get("num_key_value_heads") or shape["num_attention_heads"]
    size = shape.get("head_dim") or shape["hidden_size"] // shape["num_attention_heads"]
    blocks = sequences * -(-window // BLOCK) + 1
    return 2 * int(shape["num_hidden_layers"] * heads * size) * width * blocks * BLOCK


def _read(inbox: SimpleQueue[dict[str, Any] | None]) -> None:
    for line in sys.stdin.buffer:
        inbox.put(json.loads(line))
    inbox.put(None)


if __name__ == "__main__":
    sys.exit(main())
