"""Of every text the piece most like each wanted sentence, and how much of each item the text so says.

    multiply(…, cosines)                        # of some sentences with all wanted ones, from sparse vectors
    texts, items, pieces, scores = follow(cosines, …)

A piece is a sentence or two neighbours. Of vectors of length 1 the cosine of a pair follows from its halves',
cos(a + b, w) = (a·w + b·w) / |a + b|, so nothing is embedded twice. A text may go on from one call of `follow`
to the next: what is known of it is carried along, one number per wanted sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Cosines = NDArray[np.float32]
    Columns = NDArray[np.int32]
    Numbers = NDArray[np.float64]
    Places = NDArray[np.int64]


@njit(cache=True, nogil=True)
def multiply(
    starts: Columns,
    columns: Columns,
    values: Cosines,
    first: int,
    wanted_starts: Columns,
    wanted_rows: Columns,
    wanted_values: Cosines,
    out: Cosines,
) -> None:
    """Write the products of rows first … first + len(out) - 1 of a sparse matrix with all wanted rows to `out`.

    The matrix is compressed by row, the wanted rows by column: a feature leads to the wanted rows that have it.
    """
    out[:] = 0
    for row in range(len(out)):
        products = out[row]
        for place in range(starts[first + row], starts[first + row + 1]):
            column, value = columns[place], values[place]
            for other in range(wanted_starts[column], wanted_starts[column + 1]):
                # Unsigned: a negative index would have to be asked about.
                products[np.uint32(wanted_rows[other])] += value * wanted_values[other]


@njit(cache=True, nogil=True)
def _raise(best: Cosines, pieces: Columns, cosines: Cosines, piece: np.int32) -> None:
    """Note `piece` where it is more like a wanted sentence than any before it."""
    for place in range(len(best)):
        cosine, most = cosines[place], best[place]
        # Two selections without a branch, of numbers of one width: eight at a time.
        best[place] = cosine if cosine > most else most
        pieces[place] = piece if cosine > most else pieces[place]


@njit(cache=True, nogil=True)
def _raise_pair(
    best: Cosines, pieces: Columns, left: Cosines, right: Cosines, length: np.float32, piece: np.int32
) -> None:
    """The same for two neighbours, whose sum has this length."""
    shorter = np.float32(1) / length
    for place in range(len(best)):
        cosine, most = (left[place] + right[place]) * shorter, best[place]
        best[place] = cosine if cosine > most else most
        pieces[place] = piece if cosine > most else pieces[place]


@njit(cache=True, nogil=True)
def follow(
    cosines: Cosines,
    first: int,
    texts: Places,
    lengths: Cosines,
    items: Places,
    weights: Numbers,
    floor: np.float32,
    similarity: float,
    best: Cosines,
    pieces: Columns,
    before: Cosines,
) -> tuple[Places, Places, Places, Numbers]:
    """Score the texts that end among some sentences.

    Args:
        cosines: [rows, wanted], of the sentences from `first` on.
        first: number of the first of them in `texts` and `lengths`.
        texts: [sentences]: the text of each, ascending.
        lengths: [sentences]: of the sum with the sentence before; 0 where that is of another text.
        items: [wanted]: ascending.
        weights: [wanted]: share of the item's words.
        floor: a smaller cosine counts as 0.
        similarity: the score from which on a text is returned.
        best: [wanted]: carried from call to call, zeros at first …
        pieces: [wanted]: … so are the pieces these are of: n sentences, then the pairs that begin with them …
        before: [wanted]: … and the cosines of the last sentence.

    Returns:
        Text, item, piece and score, all [found], by text and then item.
    """
    found: NDArray[np.float64] = np.empty((64, 4), dtype=np.float64)
    count = 0
    for row in range(len(cosines)):
        place = first + row
        _raise(best, pieces, cosines[row], np.int32(place))
        if lengths[place] > 0:
            _raise_pair(best, pieces, before, cosines[row], lengths[place], np.int32(len(texts) + place - 1))
        before[:] = cosines[row]
        if place + 1 == len(texts) or texts[place + 1] != texts[place]:
            found, count = _score(texts[place], items, weights, floor, similarity, best, pieces, found, count)
            best[:] = 0
    whole = found[:count, :3].astype(np.int64)
    return whole[:, 0].copy(), whole[:, 1].copy(), whole[:, 2].copy(), found[:count, 3].copy()


@njit(cache=True, nogil=True)
def _score(
    text: int,
    items: Places,
    weights: Numbers,
    floor: np.float32,
    similarity: float,
    best: Cosines,
    pieces: Columns,
    found: Numbers,
    count: int,
) -> tuple[Numbers, int]:
    """Add the items of which a finished text says enough."""
    start = 0
    while start < len(items):
        end, score, closest = start, 0.0, start
        while end < len(items) and items[end] == items[start]:
            if best[end] >= floor:
                score += best[end] * weights[end]
            if best[end] > best[closest]:
                closest = end
            end += 1
        if score >= similarity:
            if count == len(found):
                more = np.empty((2 * count, 4), dtype=np.float64)
                more[:count] = found
                found = more
            found[count, 0], found[count, 1], found[count, 2] = text, items[start], pieces[closest]
            found[count, 3] = score
            count += 1
        start = end
    return found, count
