"""One request on its way through the guard rails, from what is asked to the last piece of the answer.

passage = Passage(rails, wish.reading, told.guarded)
passage.admitted()                # what the model may read; passage.refused if it may not answer
passage.finished(completion)      # what the user gets
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

from acclimate.serving.generation import Completion
from acclimate.serving.guardrails.withholding import Withholding, without_open_key

if TYPE_CHECKING:
    from acclimate.serving.guardrails.rails import Found, Rails
    from acclimate.serving.prompts import Reading


class Passage:
    """The same rails for a request, whichever API it comes by and however many models are asked for its answer."""

    def __init__(self, rails: Rails, reading: Reading, guarded: Counter[str] | None = None) -> None:
        """Begin.

        Args:
            rails: what applies.
            reading: what is asked.
            guarded: is added to: what was found, "pii_in.email" to how often.
        """
        self.refused = False
        self.guarded = Counter[str]() if guarded is None else guarded
        self._rails = rails
        self._reading = reading
        self._looked = False

    def admitted(self) -> Reading:
        """What is asked, as the model may read it; looked at once."""
        if not self._looked:
            self._looked = True
            checked = self._rails.check(self._reading.said)
            self.refused = checked.refused
            if checked.said is not self._reading.said:
                self._reading = dataclasses.replace(self._reading, said=checked.said)
            self._note(checked.found)
        return self._reading

    def refusal(self) -> Completion:
        """What a request that is refused is answered."""
        return Completion(self._rails.params.refusal, 0, "content_filter")

    def finished(self, completion: Completion) -> Completion:
        """The answer as it is given: without personal data, with the disclaimer; a refusal as it is."""
        if completion.finish_reason == "content_filter":
            return completion
        text = completion.text
        if self._rails.params.pii_out == "redact":
            text, kinds = self._rails.redact(text)
            if "key" in self._rails.params.pii_kinds and (cut := without_open_key(text)) != text:
                text, kinds["key"] = cut, kinds["key"] + 1
            self._note(Counter({("pii_out", kind): times for kind, times in kinds.items()}))
        return dataclasses.replace(completion, text=text + self._rails.ending)

    def withholding(self) -> Withholding:
        """What a stream goes through; its pieces together are what `finished` says, but for the disclaimer."""
        params = self._rails.params
        return Withholding(params.pii_kinds if params.pii_out == "redact" else [])

    def last(self, completion: Completion) -> str:
        """What a stream ends with, after all pieces of a finished completion."""
        return completion.text if self.refused else self._rails.ending

    def _note(self, found: Found) -> None:
        self._rails.count(found)
        self.guarded.update({f"{rail}.{kind}": times for (rail, kind), times in found.items()})
