"""What came of the candidate outside the checkout: model version, Bento, alias, the endpoint's answer.

The release actions write plain JSON; the dataclasses here are the part of it that a page shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acclimate.report import formats
from acclimate.report.blocks import Block, Cell, Facts, Missing, Note, Section
from acclimate.report.material import Material

MANIFEST = ("weights", "sha256", "max_prompt_tokens", "max_new_tokens")
"""What of the Bento's manifest is not said elsewhere on the page."""


@dataclass(frozen=True)
class Registered:
    """Of reports/register.json."""

    model: str
    version: str
    run_id: str
    urls: dict[str, str]


@dataclass(frozen=True)
class Packaged:
    """Of reports/package.json."""

    bento: str
    manifest: dict[str, Any]
    signing_key_sha256: str
    bill_of_materials: dict[str, int]
    """Type of component to how many there are; and libraries whose licence is unknown."""


@dataclass(frozen=True)
class Moved:
    """Of reports/promote.json and reports/rollback.json: alias to version, before and after."""

    before: dict[str, str | None]
    after: dict[str, str | None]
    reason: str | None = None


@dataclass(frozen=True)
class Served:
    """Of reports/serve.json: what the endpoint was asked when it served the champion, and what it wrote."""

    url: str
    model: str
    version: str
    question: str
    answer: str


def released(material: Material) -> Section:
    """One line per release step that has been taken."""
    registered = material.report("register", Registered)
    packaged = material.report("package", Packaged)
    promoted = material.report("promote", Moved)
    served = material.report("serve", Served)
    rolled_back = material.report("rollback", Moved)
    rows: list[tuple[str, Cell]] = []
    if isinstance(registered, Registered):
        rows.append(("registered", f"{registered.model} version {registered.version}, MLflow run {registered.run_id}"))
        rows += [(f"{name} URL", url) for name, url in registered.urls.items()]
    if isinstance(packaged, Packaged):
        rows.append(("Bento", packaged.bento))
        rows += [(formats.words(name), str(packaged.manifest[name])) for name in MANIFEST if name in packaged.manifest]
        rows.append(("signed with key", packaged.signing_key_sha256))
        rows.append(("bill of materials", _materials(packaged.bill_of_materials)))
    if isinstance(promoted, Moved):
        rows.append(("promoted", _moves(promoted)))
    if isinstance(served, Served):
        rows.append(("served", f"{served.model} version {served.version} at {served.url}"))
        rows += [("asked", served.question), ("answered", served.answer.strip())]
    blocks: list[Block] = [Facts(tuple(rows), code=True)] if rows else []
    blocks += [step for step in (registered, packaged, promoted, served) if isinstance(step, Missing)]
    if isinstance(rolled_back, Moved):
        blocks.append(Note(f"Rolled back ({rolled_back.reason}): {_moves(rolled_back)}.", "warning"))
    return Section(
        "release",
        "Release",
        "A candidate that passed both gates is registered, packaged and served; one that did not stops here.",
        tuple(blocks),
    )


def _materials(counts: dict[str, int]) -> str:
    """'102 packages (3 without a known licence), 3 models, 1 data set'."""
    unknown, packages = counts["library_without_licence"], counts["library"]
    models, data = counts["machine-learning-model"], counts["data"]
    return f"{packages} packages ({unknown} without a known licence), {models} models, {data} data set"


def _moves(moved: Moved) -> str:
    """'champion 3 → 4, previous 2 → 3': the aliases that point elsewhere now."""
    changed = [
        f"{alias} {moved.before.get(alias) or 'none'} → {version or 'none'}"
        for alias, version in moved.after.items()
        if moved.before.get(alias) != version
    ]
    return ", ".join(changed) or "every alias stayed where it was"
