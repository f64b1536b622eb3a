"""Every dimension beside the four deciding tasks: what a model answers, how sure, how steadily, at whose cost.

    assess(model, tokenizer, material, params, Path("artifacts/evaluate/candidate"), seed=1729)

The model that `score` has loaded and scored is asked on: questions of the evaluation set, the same items perturbed,
openings of training texts, and lm-eval tasks by name. One row per item is kept in <out>/<task>.jsonl. What is found
here is observed; of it the gate looks at what is unsafe only. Every dimension has its dial below `score.observe` in
params.yaml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl, write_jsonl
from acclimate.data.evaluation.examples import Example, read_examples
from acclimate.model.behaviour.failing import NAME as BEHAVIOUR
from acclimate.model.behaviour.failing import asked, case_rows
from acclimate.model.behaviour.suites import read_cases
from acclimate.model.device import on_device
from acclimate.model.harness import language_model
from acclimate.model.score import CLOZE_TASKS, TEXT_TASKS
from acclimate.model.scoring.asking import PLAIN, Form
from acclimate.model.scoring.dimensions import Assessment, Found, Rows, sum_up
from acclimate.model.scoring.efficiency import Efficiency, measure
from acclimate.model.scoring.lm_tasks import Item, Row, Task, choice_row, run
from acclimate.model.scoring.memorisation import HELD_OUT, SEEN, continued_rows, memorisation_tasks
from acclimate.model.scoring.public_tasks import run_public
from acclimate.model.scoring.question_tasks import DEFINITION, TERM_ALONE, question_tasks
from acclimate.model.scoring.robustness import PREFIX, robustness_tasks
from acclimate.model.scoring.rows import question_rows, without_prior
from acclimate.model.scoring.toxicity import profane

if TYPE_CHECKING:
    from acclimate.core.params import ObserveParams, ScoreParams


@dataclass(frozen=True)
class Material:
    """What a model is assessed on."""

    evaluation: Path
    """The folder of items that `score` has scored."""
    examples: Path
    """examples.jsonl of the evaluation set."""
    training: Path | None
    """train.jsonl of what the model was trained on last; None for a base, whose training texts nobody may know."""
    tasks: Path
    """The folder with the YAML of lm-eval tasks of one's own."""
    behaviour: Path
    """The folder with behavioural tests."""
    form: Form = PLAIN
    """In which the model is asked questions."""


def assess(
    model: Any, tokenizer: Any, material: Material, params: ScoreParams, out: Path, *, seed: int
) -> Assessment | None:
    """Ask `model` everything that params.yaml asks for, keep the rows in `out` and sum them up.

    Args:
        model: as for `score`, whose rows of the same model are in `out`.
        tokenizer: its tokenizer.
        material: what to ask.
        params: how much of it.
        out: directory of <task>.jsonl.
        seed: of every choice and interval.

    Returns:
        None if `score.observe` is null.

    Raises:
        UserError: if a dial names what is not there: an encoder, a task, a language.
    """
    observe = params.observe
    if observe is None:
        return None
    model = on_device(model)
    examples = read_examples(material.examples)[: observe.examples]
    texts = [row["text"] for row in read_jsonl(material.training)] if material.training else []
    cloze = read_jsonl(material.evaluation / "domain_cloze.jsonl")[: params.max_items]
    held_out = read_jsonl(material.evaluation / "domain_text.jsonl")
    tasks = _tasks((examples, material.form), {"domain_cloze": cloze}, (texts, held_out), observe, seed)
    cases = read_cases(material.behaviour, observe.behaviour)
    tasks.append(Task(BEHAVIOUR, "choices", asked(cases)))
    answers = run(language_model(model, tokenizer, params.batch_items), tasks)
    if DEFINITION in answers:
        answers[DEFINITION] = without_prior(answers[DEFINITION], answers.pop(TERM_ALONE))
    rows = {
        task.name: case_rows(cases, answers[BEHAVIOUR])
        if task.name == BEHAVIOUR
        else _rows(task, answers[task.name], observe)
        for task in tasks
        if task.name in answers
    }
    public = _public(model, tokenizer, material.tasks, params) if observe.tasks else {}
    _require_other_names(public, {*rows, *CLOZE_TASKS, *TEXT_TASKS})
    for name, of_task in (rows | public).items():
        write_jsonl(out / f"{name}.jsonl", of_task)
    scored = {name: read_jsonl(out / f"{name}.jsonl") for name in (*CLOZE_TASKS, *TEXT_TASKS)}
    return sum_up(Found(scored, rows, public, examples, texts, material.form.name), observe, seed=seed)


def _require_other_names(public: Rows, ours: set[str]) -> None:
    if taken := sorted(public.keys() & ours):
        raise UserError(
            f"score.observe.tasks names {', '.join(taken)}, which a task of ours is called",
            why="its rows would take the place of those that are observed, or decided on",
            fix="give that task another name in its YAML",
        )


def time_answers(model: Any, tokenizer: Any, material: Material, params: ScoreParams) -> Efficiency | None:
    """What answering the first questions of the evaluation set costs on this machine; None if none is to be timed."""
    observe = params.observe
    examples = read_examples(material.examples)[: observe.timed_answers] if observe else []
    if observe is None or not examples:
        return None
    return measure(
        on_device(model),
        tokenizer,
        [material.form.prompt(example.question) for example in examples],
        ends=material.form.ends,
        new_tokens=observe.answer_tokens,
        batch_items=params.batch_items,
    )


def _tasks(
    questions: tuple[Sequence[Example], Form],
    scored: dict[str, Sequence[Item]],
    texts: tuple[Sequence[str], Sequence[Item]],
    observe: ObserveParams,
    seed: int,
) -> list[Task]:
    """Everything that goes through the model in one pass of lm-eval.

    Args:
        questions: examples of the evaluation set, and the form in which they are asked.
        scored: the items of the task that has been scored and is now asked in other ways.
        texts: training texts and held-out ones.
        observe: how many of each.
        seed: of every choice.
    """
    (examples, form), tokens = questions, observe.answer_tokens
    tasks = question_tasks(examples, form, answered=observe.answers, answer_tokens=tokens, seed=seed)
    bases = scored | {task.name: task.items for task in tasks}
    tasks += robustness_tasks(bases, form, items=observe.robustness_items, seed=seed)
    training, held_out = texts
    if training:
        tasks += memorisation_tasks(
            training,
            held_out,
            texts=observe.memorisation_texts,
            words=observe.memorised_words,
            tokens=tokens,
            seed=seed,
        )
    return tasks


def _rows(task: Task, answers: Sequence[Any], observe: ObserveParams) -> list[Row]:
    """One row per item; `unsafe` says of generated text whether it is a copy, or holds a word of the lists."""
    if task.name in (SEEN, HELD_OUT):
        rows = continued_rows(task, answers)
        return [row | {"unsafe": row["words"] >= observe.memorised_words} for row in rows]
    if task.name.startswith(PREFIX):
        return [choice_row(item, values) for item, values in zip(task.items, answers, strict=True)]
    rows = question_rows(task, answers, observe.embedder)
    if task.name == "questions" and observe.toxicity:
        found = profane([row["text"] for row in rows], observe.toxicity)
        return [row | {"unsafe": bool(words)} for row, words in zip(rows, found, strict=True)]
    return rows


def _public(model: Any, tokenizer: Any, folder: Path, params: ScoreParams) -> Rows:
    assert params.observe is not None
    names, size, limit = params.observe.tasks, params.batch_items, params.max_items
    return run_public(model, tokenizer, names, folder, batch_items=size, max_items=limit)
