"""Waiting for what happens elsewhere."""

import time

PAUSE = 0.1


def wait_for(condition, patience: float, what: str):
    """Until the condition holds. Raises TimeoutError if it does not within so many seconds."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen in {patience} s")
        time.sleep(PAUSE)
