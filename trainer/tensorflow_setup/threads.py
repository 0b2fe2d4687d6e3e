"""Import before TensorFlow runs anything: an operation may use half of the cores, as two can run at a time.

The backward pass has two independent products for each forward one, and ModelScorer scores two batches at a time. So
both halves are busy, and none waits for the other's threads to wake, which costs small operations more than they gain.
TensorFlow's own variable, where it is set, takes precedence.
"""

import os

VARIABLE = "TF_NUM_INTRAOP_THREADS"

TENSORFLOWS_OWN = {VARIABLE: ""}
"""Environment of a process with TensorFlow's own default, which an empty variable stands for."""

SIDE_BY_SIDE = 2
"""Operations that are to run at a time."""

# macOS and Windows know no affinity.
_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
os.environ.setdefault(VARIABLE, str(max(1, _cores // SIDE_BY_SIDE)))
