"""What bench/soak.py says of memory: how much one process of the endpoint grows by, once it is warm.

growth([(0, 480.1), (14, 492.7), …])      # megabytes in a thousand requests, over the second half of the requests

A process that was just started grows: the first request of every kind brings code and buffers with it, and caches
fill. So the process lives for thousands of requests, and the first half of them does not count. The slope is that of
Theil and Sen, the median of all slopes between two moments: a single reading in the middle of a long request moves it
little.
"""

from __future__ import annotations

from itertools import combinations
from statistics import median

MOMENTS = 40
"""Into which the second half is divided; of each the median reading counts."""
LEAST_REQUESTS = 3000
"""Of one process; fewer say nothing of growth."""


def growth(samples: list[tuple[int, float]]) -> float | None:
    """Megabytes more per thousand requests, over the second half; None if there were too few.

    Args:
        samples: of one process, how many requests had been finished and its resident megabytes, in their order.
    """
    if not samples or samples[-1][0] - samples[0][0] < LEAST_REQUESTS:
        return None
    begun, ended = (samples[0][0] + samples[-1][0]) / 2, samples[-1][0]
    width = (ended - begun) / MOMENTS
    of_moment: dict[int, list[tuple[int, float]]] = {}
    for requests, megabytes in samples:
        if requests >= begun:
            of_moment.setdefault(int((requests - begun) / width), []).append((requests, megabytes))
    moments = [(median(one[0] for one in of), median(one[1] for one in of)) for of in of_moment.values()]
    slopes = [(later[1] - one[1]) / (later[0] - one[0]) for one, later in combinations(moments, 2) if later[0] > one[0]]
    return round(1000 * median(slopes), 2)
