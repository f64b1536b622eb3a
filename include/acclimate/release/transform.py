"""Answer every record of a file, or of a bucket's prefix, with a packaged model; go on where a killed run stopped.

    acclimate transform questions.jsonl answers/
    acclimate transform s3://shelf/2026/ answers/ --model 3

    answers/manifest.json    who answers what, and how; "finished" once all of it stands there, with counts and hashes
    answers/answers/         part-00000.jsonl …: the answers, in the order of the records
    answers/rejected/        part-00000.jsonl …: the records that got none, with the reason

Records are read, answered and written part by part, each part whole or not at all. So the same command, given again
after whatever ended it, takes the parts that are there and does the others, and ends with the bytes it would have had.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, sha256, write_json
from acclimate.core.home import home
from acclimate.core.locks import locked
from acclimate.core.params import Params, load
from acclimate.core.progress import progress
from acclimate.core.waiting import spin_briefly
from acclimate.data.remote.mirror import Place
from acclimate.release.keys import trusted_key
from acclimate.release.package import source_path
from acclimate.release.registry import CHAMPION, connect, model_name
from acclimate.release.transforming.parts import answered, files, parts, stands, write
from acclimate.release.transforming.series import Series, entries, of_bucket, of_file
from acclimate.release.versions.finding import find
from acclimate.serving.guardrails.rails import Rails
from acclimate.serving.models import Model, UnfitError, packaged_in
from acclimate.serving.models import load as load_packaged
from acclimate.serving.state import Packaged

MANIFEST = "manifest.json"
ORDER = ("input", "model", "dials")
"""What in the manifest decides the answers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What, where to, who."""
    parser.add_argument("input", help="a file of records (.jsonl, .parquet), or s3://bucket/prefix")
    parser.add_argument("out", type=Path, help="folder for the answers; the same again to go on after a kill")
    parser.add_argument(
        "--model",
        default=CHAMPION,
        metavar="WHO",
        help="version or alias of the registered model, or the folder of a Bento; default: champion",
    )


def main(arguments: argparse.Namespace) -> int:
    """Answer, and say how many."""
    done = transform(arguments.input, arguments.out, arguments.model, say=lambda line: print(line, flush=True))
    rejected = sum(done["rejected"].values())
    print(
        f"{done['model']['name']} version {done['model']['version']} answered {done['answered']:,} of "
        f"{done['records']:,} records, {rejected:,} rejected: {arguments.out}"
    )
    return 0


def transform(given: str, out: Path, asked: str, *, say: Callable[[str], None]) -> dict[str, Any]:
    """Do what is left of the work, and return the manifest.

    Args:
        given: a file, or s3://bucket/prefix.
        out: the folder for the answers.
        asked: who answers: a version, an alias, the folder of a Bento. A transform that was begun goes on with the
            version that an alias stood for then.
        say: told how far it is, where nobody sees a bar.

    Raises:
        UserError: if the input or the model cannot be had, the model is not what was signed, or `out` holds something
            else.
    """
    params = load(home() / "params.yaml")
    with _alone(out):
        before: dict[str, Any] | None = read_json(out / MANIFEST) if (out / MANIFEST).exists() else None
        place = Place(out, out / ".input", out / ".fetch")
        series = _series(given, place, before, params)
        packaged = _packaged(asked, before, params)
        order = _order(series, asked, packaged, params)
        if before is not None:
            _require_same(before, order, out)
        if before is None or not before["finished"]:
            write_json(out / MANIFEST, {"finished": False, **order})
            model = _loaded(packaged, params)
            count = _answer_all(series, model, params, out, say)
            before = {"finished": True, **order, **_told(out, count)}
            write_json(out / MANIFEST, before)
        for folder in (place.mirror, place.work):
            shutil.rmtree(folder, ignore_errors=True)
        return before


def _answer_all(series: Series, model: Model, params: Params, out: Path, say: Callable[[str], None]) -> int:
    """Do the parts that are not there; how many parts there are."""
    dials, limits, count = params.transform, params.ingest.limits, 0
    rails = Rails(params.endpoint.guardrails)
    read = progress(entries(series, limits), "answering", unit="record", total=series.lines)
    for number, part in enumerate(parts(read, dials.part_records)):
        count = number + 1
        if stands(out, number, part):
            continue
        answers, rejects = answered(part, model, dials, rails)
        write(out, number, answers, rejects)
        if not sys.stderr.isatty():
            of = "" if series.lines is None else f" of about {series.lines:,}"
            say(f"{part[-1].number + 1:,}{of} records done")
    return count


def _told(out: Path, count: int) -> dict[str, Any]:
    """What stands in the files of all parts; of nothing but their content, so that equal files are told alike."""
    answers, tokens, guarded = 0, Counter[str](), Counter[str]()
    reasons, hashes = Counter[str](), dict[str, str]()
    for number in range(count):
        to_answers, to_rejected = files(out, number)
        for row in read_jsonl(to_answers):
            answers += 1
            tokens.update({kind: row[kind] for kind in ("prompt_tokens", "new_tokens")})
            guarded.update(row.get("guarded", {}))
        reasons.update(row["reason"] for row in read_jsonl(to_rejected))
        hashes |= {path.relative_to(out).as_posix(): sha256(path) for path in (to_answers, to_rejected)}
    return {
        "records": answers + reasons.total(),
        "answered": answers,
        "rejected": dict(sorted(reasons.items())),
        **{kind: tokens[kind] for kind in ("prompt_tokens", "new_tokens")},
        "guarded": dict(sorted(guarded.items())),
        "files": hashes,
    }


def _series(given: str, place: Place, before: dict[str, Any] | None, params: Params) -> Series:
    if not given.startswith("s3://"):
        return of_file(Path(given))
    if before is not None and before["finished"] and before["input"]["from"] == given:
        return Series(before["input"], {})  # nothing is left to be read, and the copy is gone
    endpoint_url = params.transform.s3_endpoint_url
    try:
        return of_bucket(given, place, endpoint_url, params.ingest.limits, again=before is not None)
    except UserError as fault:  # told by the source `s3`, as if documents were fetched
        raise UserError(
            fault.what,
            why="what cannot be read cannot be answered",
            fix="mend the address, transform.s3_endpoint_url in params.yaml or the AWS settings in the environment, "
            "and give the same command again: it goes on where it was",
        ) from None


def _packaged(asked: str, before: dict[str, Any] | None, params: Params) -> Packaged:
    """The model that is to answer, as it was packaged."""
    for folder in (Path(asked), Path(asked) / "src"):
        if (folder / MANIFEST).is_file():
            return packaged_in(folder)
    if before is not None and before["model"]["asked"] == asked:
        asked = before["model"]["version"]
    name = model_name(params.ingest.domain)
    version = find(connect(), name, asked)
    tag = version.tags.get("bento")
    if not tag or not source_path(tag).exists():
        raise UserError(
            f"version {version.version} of {name} has no Bento here",
            why="what answers is what was judged and packaged, whole and signed",
            fix="run `acclimate package` in its run, or name another version or the folder of a Bento with --model",
        )
    return packaged_in(source_path(tag))


def _order(series: Series, asked: str, packaged: Packaged, params: Params) -> dict[str, Any]:
    """What decides the answers: other values, other bytes."""
    manifest = read_json(packaged.folder / MANIFEST)
    who = {"asked": asked, "name": manifest["model"], "version": packaged.version, "sha256": packaged.sha256}
    dials = params.transform.model_dump(mode="json", exclude={"s3_endpoint_url"})
    dials["guardrails"] = params.endpoint.guardrails.model_dump(mode="json")
    return {"input": series.identity, "model": who, "dials": dials}


def _require_same(before: dict[str, Any], order: dict[str, Any], out: Path) -> None:
    other = [key for key in ORDER if before[key] != order[key]]
    if other:
        differ = "; ".join(f"{key} was {before[key]} and is {order[key]}" for key in other)
        raise UserError(
            f"{out} holds answers of another transform: {differ}",
            why="answers to other records, of another model or with other dials would stand beside them",
            fix="choose another folder, or remove this one",
        )


def _loaded(packaged: Packaged, params: Params) -> Model:
    """The model in memory, shown to be what was signed with the key that is trusted here."""
    spin_briefly()
    try:
        model = load_packaged(packaged, trusted_key())
    except UnfitError as fault:
        raise UserError(
            str(fault),
            why="only what was judged and signed may answer",
            fix="package it again; if it was signed elsewhere, name the public key that you trust in "
            "ACCLIMATE_PUBLIC_KEY",
        ) from None
    wanted, most = params.transform.max_new_tokens, model.manifest["max_new_tokens"]
    if wanted is not None and wanted > most:
        raise UserError(
            f"transform.max_new_tokens is {wanted}, the model was packaged for {most}",
            why="every record would be rejected",
            fix=f"set it to {most} or less in params.yaml, or to null",
        )
    return model


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder against a second transform into it."""
    try:
        with locked(out / ".lock", wait=False):
            yield
    except BlockingIOError:
        raise UserError(
            f"another transform is writing into {out}",
            why="two at once would do the same work twice",
            fix="wait for it, or choose another folder",
        ) from None
