"""What every stage that computes with torch does first, so that equal runs give equal bytes.

    fix_randomness(common)

Floating-point sums depend on how work is cut into threads: the thread count is a dial, never the
machine's number of cores.
"""

from __future__ import annotations

import ctypes
import os
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acclimate.core.params import CommonParams

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Names of mallopt's parameters in glibc's malloc.h."""


def fix_randomness(common: CommonParams) -> None:
    """Seed every generator, fix the thread counts, keep the hub offline and the progress bars silent.

    `base` fetches a hub id before it calls this; nothing after that looks anything up on the network.
    """
    import numpy as np
    import torch

    random.seed(common.seed)
    np.random.seed(common.seed)
    torch.manual_seed(common.seed)
    torch.set_num_threads(common.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Nothing here reads memory it has not written; filling it first took a fifth of the training time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a module property
    # cuBLAS is reproducible only with a fixed workspace (torch documentation, "Reproducibility").
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # The tokenizer's own threads give the same tokens in any number; they must only not exceed the dial.
    os.environ["RAYON_NUM_THREADS"] = str(common.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if common.threads > 1 else "false"
    _keep_quiet_and_offline()
    _keep_freed_memory()


def _keep_quiet_and_offline() -> None:
    """Set what the Hugging Face libraries read from the environment, and what they read only once."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

    from huggingface_hub import constants
    from transformers.utils import logging

    # huggingface_hub copies its variables when it is imported, which may have been before this call.
    constants.HF_HUB_OFFLINE = True
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _keep_freed_memory() -> None:
    """Have glibc keep large freed blocks for the next step instead of returning them to the kernel each time.

    Logits of tens of MB come and go with every batch, and mapping their pages anew took a tenth of the CPU
    time of pre-training and a third of scoring's (measured 2026-11-20).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # absent from other C libraries
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
