"""Change sequences."""

import datetime


class Sequence:
    """`$AR_H_CHANGE_SEQ`: 16 digits of time and 19 of a counter, ascending over all tables."""

    def __init__(self, counter: int, instant: str):
        self.counter = counter
        self.instant = instant

    def next(self, committed: datetime.datetime) -> str:
        self.counter += 1
        self.instant = max(self.instant, f"{committed:%Y%m%d%H%M%S}00")
        return f"{self.instant}{self.counter:019}"
