"""How likely a text is to be of the domain: a linear classifier over its words, kept as plain numbers.

    relevance = Relevance.read(Path("relevance.safetensors"))
    relevance.of("What does numpy.argsort do?")      # 0.97

Words and pairs of neighbouring words, hashed into a fixed number of places (Weinberger et al. 2009, Feature Hashing),
each weighted by the logarithm of how often it occurs, the whole scaled to length 1; a logistic regression on that.
It is fitted where the model is packaged (release/relevance.py), by these same features.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE = "relevance.safetensors"
PLACES = 1 << 17
"""For 30,000 different words and pairs some nine in ten have a place of their own; 0.5 MB of float32."""
MOST_WORDS = 400
"""Of a text; the rest of a longer one is not looked at."""

_WORD = re.compile(r"\w+")


def features(text: str) -> dict[int, float]:
    """Place to weight, of length 1 (L2) unless the text has no word."""
    found = (match[0].lower() for match in _WORD.finditer(text))
    words = [word for word, _ in zip(found, range(MOST_WORDS), strict=False)]
    said = [*words, *(f"{one} {other}" for one, other in pairwise(words))]
    # CRC-32 is the same on every machine and in every process, unlike Python's own hash.
    counts = Counter(zlib.crc32(word.encode(errors="surrogatepass")) % PLACES for word in said)
    weights = {place: 1 + math.log(count) for place, count in counts.items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {place: weight / length for place, weight in weights.items()}


@dataclass(frozen=True)
class Relevance:
    """The classifier."""

    weights: NDArray[np.float32]
    """[PLACES]"""
    bias: float

    def of(self, text: str) -> float:
        """How likely the text is to be of the domain (0–1), where as many are as are not."""
        logit = self.bias + sum(float(self.weights[place]) * weight for place, weight in features(text).items())
        return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))

    @classmethod
    def read(cls, path: Path) -> Relevance:
        """What `tensors` was written to a safetensors file."""
        from safetensors.numpy import load_file

        stored = load_file(path)
        return cls(stored["weights"], float(stored["bias"][0]))

    def tensors(self) -> bytes:
        """The safetensors file."""
        import numpy as np
        from safetensors.numpy import save

        return bytes(save({"weights": self.weights, "bias": np.array([self.bias], dtype=np.float64)}))
