"""When general text is replayed: evenly through the training, or more and more, or less and less.

    order = progressive(is_replay, sizes, "rising")       # of texts: from no replay at all to twice the mean share

How much is replayed stays what the mix says; only the order changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from acclimate.core.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Direction = Literal["rising", "falling"]


def progressive(is_replay: NDArray[np.bool_], sizes: NDArray[np.int64], direction: Direction) -> NDArray[np.int64]:
    """The places of the texts in an order in which the share of replayed text moves linearly.

    At the share t of the training (0–1) the share 2st of what is read is replay, s being its share of the whole;
    falling is the same backwards. Replayed texts keep their order among themselves, the others too.

    Args:
        is_replay: per text, whether it is replayed general text.
        sizes: per text, in tokens or bytes.
        direction: of the replay's share.

    Raises:
        UserError: if more than half is replay.
    """
    import numpy as np

    share = float(sizes[is_replay].sum() / sizes.sum())
    if share > 0.5:
        raise UserError(
            f"{share:.0%} of what train_domain reads is replayed, and train_domain.replay_order is {direction}",
            why="a share above a half cannot rise to its double",
            fix="set replay_order to even, or lower mix.general_replay in params.yaml",
        )
    times = np.empty(len(sizes))
    for mask, time in ((is_replay, _replay_time), (~is_replay, _other_time)):
        done = (np.cumsum(sizes[mask]) - sizes[mask] / 2) / max(int(sizes[mask].sum()), 1)
        times[mask] = time(done, share) if direction == "rising" else 1 - time(1 - done, share)
    return np.argsort(times, kind="stable").astype(np.int64)


def _replay_time(done: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """When the share `done` of the replayed text has been read: the inverse of t²."""
    import numpy as np

    return np.sqrt(done)


def _other_time(done: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """When the share `done` of the other text has been read: the inverse of (t − st²) / (1 − s)."""
    import numpy as np

    if share == 0:
        return done
    return np.asarray((1 - np.sqrt(1 - 4 * share * (1 - share) * done)) / (2 * share))
