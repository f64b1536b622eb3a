"""Pairs of answers of which one is preferred: read from inputs/, and only those that hold no evaluation item passed on.

    artifacts/decontaminate/preference/pairs.jsonl        {"id": "9f2c…", "prompt": "How do I …?", "dialogue": false,
                                                           "chosen": "Take …", "rejected": "You …"}
    artifacts/decontaminate/preference/rejected.jsonl     what went, with its reason
    artifacts/decontaminate/preference/certificate.json   the hash of the pairs; align reads no others

A prompt and both answers count as training text: the rules are those for documents (item_overlaps.py, rephrasings.py).
The files are empty where params.yaml names no pairs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.core.certificate import certify
from acclimate.core.errors import UserError
from acclimate.core.files import write_jsonl, write_parquet
from acclimate.core.records import Reject, document_id
from acclimate.core.reports import Funnel
from acclimate.data.contamination.clean_check import CleanCheck
from acclimate.data.contamination.finds import RULES, Finds
from acclimate.data.contamination.meaning import search_by_meaning
from acclimate.data.similarity.words import WordStreams
from acclimate.data.sources.record_files import READERS, values_at

if TYPE_CHECKING:
    from acclimate.core.params import DecontaminateParams, Preferences
    from acclimate.data.contamination.item_overlaps import ItemIndex
    from acclimate.data.contamination.wanted_items import WantedItems

FOLDER, PAIRS = "preference", "pairs.jsonl"
SOURCE = "preferences"


@dataclass(frozen=True)
class PreferencePair:
    """Two answers to one prompt, the better and the worse."""

    id: str
    prompt: str
    dialogue: bool
    """Whether the prompt is a dialogue as it was written down, to which no template applies."""
    chosen: str
    rejected: str

    @property
    def exchanges(self) -> tuple[str, str]:
        """What is read with either answer."""
        return f"{self.prompt}\n{self.chosen}", f"{self.prompt}\n{self.rejected}"

    @property
    def pieces(self) -> tuple[str, str, str]:
        """What may be an item by itself."""
        return self.prompt, self.chosen, self.rejected


def pass_on(params: DecontaminateParams, wanted: WantedItems, index: ItemIndex, *, inputs: Path, out: Path) -> Funnel:
    """Write those of the pairs named in `params` that overlap no item, and the others with their reason.

    Args:
        params: where the pairs are, and the rules.
        wanted: the items.
        index: of them.
        inputs: the folder that the pairs are in.
        out: the folder of the stage.

    Raises:
        UserError: if there is no such file, or it cannot be read.
    """
    read, rejects = _read(params.preferences, inputs) if params.preferences else ([], [])
    gone = _overlapping(read, params, wanted, index)
    kept = [pair for place, pair in enumerate(read) if place not in gone]
    _require_clean(kept, params, index)
    folder = out / FOLDER
    write_jsonl(folder / PAIRS, (asdict(pair) for pair in kept))
    rejects += gone.values()
    write_jsonl(folder / "rejected.jsonl", (asdict(reject) for reject in rejects))
    certify(folder, [PAIRS])
    return Funnel.of(len(kept) + len(rejects), len(kept), rejects)


def _read(preferences: Preferences, inputs: Path) -> tuple[list[PreferencePair], list[Reject]]:
    pairs: dict[str, PreferencePair] = {}
    rejects = []
    for origin, record in _records(preferences, inputs):
        pair, reason = _pair(preferences, record)
        if pair is not None and pair.id in pairs:
            reason = "the same pair again"
        if pair is None or reason:
            text = str(record)[:120]
            rejects.append(Reject(document_id(SOURCE, origin), SOURCE, origin, reason, preferences.path, text))
        else:
            pairs[pair.id] = pair
    return list(pairs.values()), rejects


def _records(preferences: Preferences, inputs: Path) -> Iterator[tuple[str, Any]]:
    """Every record with the place it stands at."""
    paths = sorted(inputs.glob(preferences.path.removeprefix("inputs/")))
    if not paths:
        raise _unusable(f"no file matches {preferences.path}")
    for path in paths:
        name = path.relative_to(inputs)
        if path.suffix.lower() not in READERS:
            raise _unusable(f"{name} has none of the endings {', '.join(READERS)}")
        try:
            records = READERS[path.suffix.lower()](path)
        except (ValueError, csv.Error) as fault:
            raise _unusable(f"{name} cannot be read: {fault}") from None
        yield from ((f"inputs/{name}:{number}", record) for number, record in enumerate(records, start=1))


def _pair(preferences: Preferences, record: Any) -> tuple[PreferencePair | None, str]:
    """The pair that a record holds, or why it holds none."""
    chosen, rejected = (_text(record, path) for path in (preferences.chosen, preferences.rejected))
    if not chosen.strip() or not rejected.strip():
        return None, "no chosen answer" if not chosen.strip() else "no rejected answer"
    if chosen.strip() == rejected.strip():
        return None, "both answers are the same"
    if preferences.prompt is not None:
        prompt = _text(record, preferences.prompt)
    else:
        prompt = common_beginning(chosen, rejected)
        chosen, rejected = chosen[len(prompt) :], rejected[len(prompt) :]
    if not prompt.strip():
        return None, "no prompt"
    identity = document_id(SOURCE, "\0".join((prompt, chosen, rejected)))
    return PreferencePair(identity, prompt, preferences.prompt is None, chosen, rejected), ""


def _text(record: Any, path: str) -> str:
    return "\n\n".join(values_at(record, path.split(".")))


def common_beginning(one: str, other: str) -> str:
    """What two texts begin with alike, without the word in which they part and the white space before it."""
    parted = (place for place, (mine, yours) in enumerate(zip(one, other, strict=False)) if mine != yours)
    alike = one[: next(parted, min(len(one), len(other)))]
    return alike[: max(alike.rfind(" "), alike.rfind("\n"), 0)]


def _overlapping(
    pairs: Sequence[PreferencePair], params: DecontaminateParams, wanted: WantedItems, index: ItemIndex
) -> dict[int, Reject]:
    """Place of a pair to why it goes."""
    if not pairs:
        return {}
    words = Finds.together(_shared_words(pairs, index))
    finds = [words.where((words.items < wanted.evaluation_items) | (params.validation == "drop"))]
    if params.rephrased == "drop":  # flagged texts stay, and pairs are not listed one by one
        finds.append(_rephrased(pairs, params, wanted))
    gone = Finds.together(finds)
    items = wanted.all
    return {
        place: Reject(
            id=pairs[place].id,
            source=SOURCE,
            origin=FOLDER,
            reason=RULES[gone.rules[first]],
            detail=f"{items[int(gone.items[first])].task} {items[int(gone.items[first])].id}",
            excerpt=pairs[place].prompt[:120],
        )
        for place, (first, _) in gone.firsts().items()
    }


def _shared_words(pairs: Sequence[PreferencePair], index: ItemIndex) -> Iterator[Finds]:
    """What the rules on words find: in what is read as a whole, and in its pieces, which may be items themselves."""
    exchanges = WordStreams.of(text for pair in pairs for text in pair.exchanges)
    yield index.finds(exchanges).of_rows(np.repeat(np.arange(len(pairs)), 2))
    pieces = WordStreams.of(text for pair in pairs for text in pair.pieces)
    yield index.copies(pieces).of_rows(np.repeat(np.arange(len(pairs)), 3))


def _rephrased(pairs: Sequence[PreferencePair], params: DecontaminateParams, wanted: WantedItems) -> Finds:
    import pyarrow as pa

    texts = [text for pair in pairs for text in pair.exchanges]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.parquet"
        write_parquet(path, pa.table({"text": texts}))
        found = search_by_meaning(params, path, set(), wanted.questions).confirmed
    return found.of_rows(np.repeat(np.arange(len(pairs)), 2))


def _require_clean(pairs: Sequence[PreferencePair], params: DecontaminateParams, index: ItemIndex) -> None:
    """What is about to be certified is looked through by the other route too, as documents are."""
    if not pairs:
        return
    check = CleanCheck.of(index.texts[: index.evaluation_items], params.drop_words)
    prompts = WordStreams.of(pair.prompt for pair in pairs)
    for place in range(2):
        left = check.unclean(WordStreams.of(pair.exchanges[place] for pair in pairs), prompts)
        if len(left):
            raise UserError(
                f"the pair {pairs[int(left[0])].id} still holds an evaluation item",
                why="scores of a model trained on it would say how well it remembers",
                fix="run `acclimate decontaminate` again; if it says so again, tell us with the id above: it is our "
                "fault",
            )


def _unusable(what: str) -> UserError:
    return UserError(
        f"decontaminate.preferences: {what}",
        why="there would be nothing to prefer one answer to another by",
        fix="put the pairs below inputs/preference and name them there in params.yaml, or set it to null and "
        "align.enabled to false",
    )
