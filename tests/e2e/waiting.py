"""Waiting for other processes."""

import time

PAUSE = 0.1


def wait_for(condition, patience: float, what: str):
    """Waits for a condition. Raises TimeoutError if it does not hold in time."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen in {patience} s")
        time.sleep(PAUSE)
