"""A byte-level BPE tokenizer as GGUF metadata, by which llama.cpp gives the same token ids.

    add_tokenizer(writer, Path("artifacts/quantize/merged"), rows=4096)

llama.cpp knows pre-tokenizers by name and has their rules compiled in, so the steps of tokenizer.json are looked up
among those whose rules are the same. That they give the same ids is not taken on trust: making.py compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json

_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"

NAMES: dict[tuple[str, ...], str] = {
    ("bytes by GPT-2's expression",): "gpt-2",
    ("single digits", "bytes by GPT-2's expression"): "smollm",
    (rf"split {_CONTRACTIONS}|{_WORDS}|\p{{N}}{{1,3}}|{_REST}", "bytes"): "llama-bpe",
    (rf"split {_CONTRACTIONS}|{_WORDS}|\p{{N}}|{_REST}", "bytes"): "qwen2",
}
"""Steps to llama.cpp's name for them (llama-vocab.cpp, release b9190): the expressions are those of the models that the
names are taken from."""


def add_tokenizer(writer: Any, model: Path, *, rows: int) -> None:
    """Enter the tokenizer of the folder `model` into `writer`.

    Args:
        writer: a gguf.GGUFWriter.
        model: a folder with tokenizer.json.
        rows: of the embedding matrix; those beyond the vocabulary become tokens that stand for nothing.

    Raises:
        UserError: if the tokenizer is of a kind that is not translated.
    """
    from gguf import SpecialVocab, TokenType

    tokenizer = read_json(model / "tokenizer.json")
    name = _name(tokenizer, model)
    texts = {number: text for text, number in tokenizer["model"]["vocab"].items()}
    kinds = dict.fromkeys(texts, TokenType.NORMAL)
    for token in tokenizer["added_tokens"]:
        texts[token["id"]] = token["content"]
        kinds[token["id"]] = TokenType.CONTROL if token["special"] else TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list([texts.get(number, f"[unused {number}]") for number in range(rows)])
    writer.add_token_types([kinds.get(number, TokenType.UNUSED) for number in range(rows)])
    SpecialVocab(model, load_merges=True, n_vocab=rows).add_to_gguf(writer, quiet=True)


def _name(tokenizer: dict[str, Any], model: Path) -> str:
    """What llama.cpp calls the way this tokenizer cuts texts before it merges bytes."""
    bpe = tokenizer["model"]
    steps = tuple(_steps(tokenizer.get("pre_tokenizer")))
    plain = not bpe.get("byte_fallback") and not bpe.get("continuing_subword_prefix")
    if bpe["type"] != "BPE" or not plain or steps not in NAMES:
        raise UserError(
            f"the tokenizer of {model} ({bpe['type']}: {', then '.join(steps) or 'texts are not cut'}) is not one "
            "that is translated to GGUF",
            why="with other token ids the model reads another text",
            fix="leave the gguf forms out of quantize.forms, or convert artifacts/quantize/merged with llama.cpp's own "
            "convert_hf_to_gguf.py",
        )
    return NAMES[steps]


def _steps(step: Any) -> list[str]:
    """A pre-tokenizer as the steps it takes, in words."""
    match step:
        case None:
            return []
        case {"type": "Sequence", "pretokenizers": list(steps)}:
            return [word for inner in steps for word in _steps(inner)]
        case {"type": "Digits", "individual_digits": True}:
            return ["single digits"]
        case {"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": "Isolated", "invert": False}:
            return [f"split {pattern}"]
        case {"type": "ByteLevel", "add_prefix_space": False}:
            return ["bytes by GPT-2's expression" if step.get("use_regex", True) else "bytes"]
        case _:
            return [str(step["type"])]
