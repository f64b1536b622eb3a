"""The page on which people judge evaluation examples, what nobody is sure of first.

    /acclimate/review    GET: what the person who is logged in has not judged yet; POST: one judgement

A judgement goes where `acclimate review import` puts it, by the same function, under the name that Airflow knows
the person by. Whoever may trigger adapt_data may judge.

Another site must not be able to judge in somebody's name: Airflow's login cookie is SameSite=Lax, which no
cross-site POST carries, and `from_here` refuses what a browser did not send from a page of this server: by
Sec-Fetch-Site, and where a browser leaves that out (plain HTTP on another host than localhost) by Origin. The UI
shows plugin pages in sandboxed frames, whose forms count as another site's: this page opens in a tab of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from acclimate.core.errors import UserError
from acclimate.core.home import home
from acclimate.data.evaluation.annotations import Annotation, add_annotations
from acclimate.data.evaluation.examples import DIFFICULTIES
from acclimate.data.evaluation.review_queue import newest_queue
from orchestration.web import POLICY, PREFIX, page

SHOWN = 10
"""Examples on the page at once."""
MAX_ANSWER_CHARACTERS = 20_000
CONFIDENCES = {"0.95": "sure", "0.85": "fairly sure", "0.6": "in doubt"}
"""Value to what a person chooses; evaluation_set.min_annotation_confidence lies between doubt and the others."""
HEADERS = {
    "Content-Security-Policy": POLICY.replace("form-action 'none'", "form-action 'self'"),
    # With no-referrer, browsers send "Origin: null" with a form.
    "Referrer-Policy": "same-origin",
}

router = APIRouter()
may_judge = requires_access_dag("POST", DagAccessEntity.RUN, param_dag_id="adapt_data")


def from_here(request: Request) -> None:
    """Refuse a form that was not sent from a page of this server.

    Raises:
        HTTPException: 403.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = urlsplit(origin).netloc == request.headers.get("host") if origin else False
    if not (site == "same-origin" if site else own):
        raise HTTPException(403, "This form was not sent from the review page; open it in a tab of its own.")


@router.get("/review")
def list_pending(user: Annotated[Any, Depends(get_user)]) -> Response:
    """What `user` has not judged yet."""
    try:
        pending = newest_queue(home()).waiting_for(user.get_name())
    except UserError as fault:
        return _answer(f"{fault.what[0].upper()}{fault.what[1:]}: {fault.fix}.")
    note = f"{len(pending)} examples wait for {user.get_name()}." if pending else "You have judged every example."
    return _answer(note, pending=pending[:SHOWN])


class Judgement(BaseModel):
    """The fields of the form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    example: str
    use: Literal["yes", "no"]
    confidence: float
    answer: Annotated[str, Field(max_length=MAX_ANSWER_CHARACTERS)] = ""
    difficulty: str = ""

    def by(self, annotator: str, proposed: str) -> Annotation:
        """The judgement as it is recorded; an answer that is no longer the proposed one is a correction.

        Raises:
            ValidationError: if it is none.
        """
        answer = self.answer.replace("\r\n", "\n").strip()
        same = bool(answer) and answer == proposed.replace("\r\n", "\n").strip()
        verdict = ("accept" if same else "edit") if self.use == "yes" else "reject"
        fields = {
            "example": self.example,
            "annotator": annotator,
            "verdict": verdict,
            "answer": answer if verdict == "edit" else None,
            "confidence": self.confidence,
            "difficulty": self.difficulty or None,
        }
        return Annotation.model_validate(fields)


@router.post("/review", dependencies=[Depends(from_here), Depends(may_judge)])
def judge(user: Annotated[Any, Depends(get_user)], judgement: Annotated[Judgement, Form()]) -> Response:
    """Record one judgement and go on with the rest."""
    try:
        queue = newest_queue(home())
        pending = queue.find(judgement.example)
        if pending is None:
            return _answer("Not recorded: the queue has changed, and this example is no longer in it.", status=409)
        annotation = judgement.by(user.get_name(), pending.proposed_answer)
        add_annotations(queue.reviews, [annotation], now=datetime.now(UTC).isoformat(timespec="seconds"))
    except ValidationError as faults:
        first = faults.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return _answer(f"Not recorded: {where}: {first['msg']}. Go back and mend it.", status=422)
    except UserError as fault:
        return _answer(f"Not recorded: {fault.what}. {fault.fix}.", status=409)
    return RedirectResponse(f"{PREFIX}/review", status_code=303)


def _answer(note: str, *, status: int = 200, **parts: Any) -> Response:
    answer = page(
        "review.html",
        "Review of evaluation examples",
        status=status,
        note=note,
        confidences=CONFIDENCES,
        difficulties=DIFFICULTIES,
        **parts,
    )
    answer.headers.update(HEADERS)
    return answer
