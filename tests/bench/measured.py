"""Runs a command and prints what it and all processes of its session took, as JSON: seconds, CPU
seconds, peak memory of all of them together and of the largest in KiB, and the last lines of its
output.

    measured.py COMMAND …

Processes are looked at 20 times a second, and their reaped children are counted with them.
"""

import json
import os
import subprocess
import sys
import threading
import time

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE") // 1024
PAUSE = 0.05


def look(session):
    """CPU seconds and KiB of each process of a session."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            found[int(name)] = (sum(map(int, fields[11:15])) / TICKS, int(fields[21]) * PAGE)
    return found


def main():
    begun = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True, start_new_session=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout))
    reader.start()
    cpu, together, largest = 0.0, 0, 0
    while process.poll() is None:
        found = look(process.pid)
        # What a process has used stays counted with whoever reaps it.
        cpu = max(cpu, sum(used for used, _ in found.values()))
        together = max(together, sum(kib for _, kib in found.values()))
        largest = max([largest, *(kib for _, kib in found.values())])
        time.sleep(PAUSE)
    seconds = time.perf_counter() - begun
    reader.join()
    children = os.times()
    cpu = max(cpu, children.children_user + children.children_system)
    print(json.dumps({
        "seconds": seconds, "cpu": cpu, "together": together, "largest": largest,
        "lines": [line.rstrip("\n") for line in lines],
    }))  # fmt: skip
    return process.returncode


sys.exit(main())
