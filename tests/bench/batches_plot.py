"""Plots what small batches cost one after another: cost against commit number.

    batches_plot.py PLOT CSV...

Each CSV file is one mode, named `batches-<mode>.csv`. Points are medians of a two-hundredth of
the batches; the band reaches from their 5th to their 95th percentile.
"""

import csv
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot
import numpy

PANELS = {
    "milliseconds": "time of a batch, ms",
    "without_listing": "the same without listing folders, ms",
    "requests": "requests of a batch",
    "bytes_written": "bytes written by a batch",
    "files": "data files of the table",
    "file_bytes": "bytes of the data files",
    "masked_rows": "masked rows of the table",
    "log_entry_bytes": "bytes of a log entry",
}
POINTS = 200

plot, *files = sys.argv[1:]
figure, axes = pyplot.subplots(4, 2, figsize=(11, 12), sharex=True, layout="constrained")
for file in files:
    mode = Path(file).stem.removeprefix("batches-")
    with open(file, newline="") as lines:
        rows = list(csv.DictReader(lines))
    for axis, (column, label) in zip(axes.flat, PANELS.items()):
        values = numpy.array([float(row[column]) for row in rows])
        parts = numpy.array_split(numpy.arange(len(values)), min(POINTS, len(values)))
        places = [part.mean() for part in parts]
        low, middle, high = (
            [numpy.percentile(values[part], share) for part in parts] for share in (5, 50, 95)
        )
        (line,) = axis.plot(places, middle, label=mode)
        axis.fill_between(places, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
        axis.set_title(label, fontsize="medium")
for axis in axes.flat:
    axis.set_ylim(bottom=0)  # once every line is drawn, or the first one would set the top
    axis.grid(alpha=0.3)
axes.flat[0].legend()
for axis in axes[-1]:
    axis.set_xlabel("commit")
figure.savefig(plot)
