"""Items in memory as tasks of lm-eval, and what the model answered to each.

    task = Task("terminology", "choices", [{"left": "Return the ", "right": " axis.", "choices": ["last", …]}])
    run(language_model(model, tokenizer, 16), [task])    # {"terminology": [[-81.2, -79.9, -80.1, -76.5]]}

Three forms: `choices` (items have left, choices, right; answered with the log-likelihood of each choice and what
follows it, in nats), `text` (items have text; its log-likelihood) and `generation` (items have prompt; the text
written after it). Nothing enters a datasets cache.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Item = dict[str, Any]
Row = dict[str, Any]
"""What is kept of an item's answer."""

ENDS = ["\nQuestion:"]
"""What ends an answer beside the end-of-text token: the model going on to ask itself the next question."""


@dataclass(frozen=True)
class Task:
    """Items to put to a model in one form."""

    name: str
    form: Literal["choices", "text", "generation"]
    items: Sequence[Item]
    new_tokens: int = 0
    """The longest text generated per item."""
    ends: tuple[str, ...] = ()
    """What ends an answer beside ENDS: the marks of the form in which it is asked for."""


def run(lm: Any, tasks: Sequence[Task]) -> dict[str, list[Any]]:
    """The model's answers per task, in the order of its items; tasks without items are left out.

    Args:
        lm: a model behind lm-eval's interface (harness.py).
        tasks: with distinct names.
    """
    from lm_eval.evaluator import evaluate
    from lm_eval.tasks import TaskManager

    asked = [_config(task) for task in tasks if task.items]
    if not asked:
        return {}
    # Its warnings are about ways of calling it; what goes wrong it raises.
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    loaded = TaskManager(include_defaults=False).load(asked)
    # `simple_evaluate` is this plus a description of the machine: time, paths and `pip list`.
    results = evaluate(lm=lm, task_dict=loaded, bootstrap_iters=0, log_samples=True)
    forms = {task.name: task.form for task in tasks}
    return {
        name: [_answer(forms[name], sample["filtered_resps"]) for sample in samples]
        for name, samples in results["samples"].items()
    }


def choice_row(item: Item, log_likelihoods: list[float]) -> Row:
    """What was answered to an item with choices: the likeliest of them."""
    choice = max(range(len(log_likelihoods)), key=log_likelihoods.__getitem__)
    return {
        "id": item["id"],
        "cluster": item["cluster"],
        "label": item["label"],
        "choice": choice,
        "correct": choice == item["label"],
        "log_likelihoods": [round(value, 4) for value in log_likelihoods],
    }


def _answer(form: str, responses: list[Any]) -> Any:
    return [value for value, _ in responses] if form == "choices" else responses[0]


def _config(task: Task) -> dict[str, Any]:
    """The lm-eval configuration of a task, its items in memory."""
    import datasets

    def dataset(**_: Any) -> dict[str, Any]:
        return {"test": datasets.Dataset.from_list(list(task.items))}

    form = {"choices": _choices, "text": _text, "generation": _generation}[task.form](task)
    return {"task": task.name, "custom_dataset": dataset, "test_split": "test", "num_fewshot": 0, **form}


def _choices(_: Task) -> dict[str, Any]:
    return {
        "output_type": "multiple_choice",
        "doc_to_text": lambda item: item["left"],
        "doc_to_choice": lambda item: [choice + item["right"] for choice in item["choices"]],
        "doc_to_target": lambda item: item["label"],
        "target_delimiter": "",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }


def _text(_: Task) -> dict[str, Any]:
    return {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": lambda item: "",
        "doc_to_target": lambda item: item["text"],
        "metric_list": [{"metric": "bits_per_byte", "aggregation": "bits_per_byte", "higher_is_better": False}],
    }


def _generation(task: Task) -> dict[str, Any]:
    return {
        "output_type": "generate_until",
        "doc_to_text": lambda item: item["prompt"],
        "doc_to_target": lambda item: "",
        "generation_kwargs": {"until": [*ENDS, *task.ends], "max_gen_toks": task.new_tokens, "do_sample": False},
        # What an answer is worth is worked out from the rows.
        "process_results": lambda item, results: {"bypass": None},
        "metric_list": [{"metric": "bypass"}],
    }
