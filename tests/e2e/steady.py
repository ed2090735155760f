"""Without faults: sysbench at full speed, then every version is checked; Spark changes our
tables, and we continue after it."""

import conformance
import foreign
import looking
from scene import begin, conclude, scene, verdict


def run(programs, seed: int, seconds: float, readers: list) -> list[str]:
    """Returns descriptions of faults."""
    with scene("steady", programs, seed, ["copy-on-write"]) as of:
        begin(of)
        with looking.UnderLoad(of) as looks:
            of.load(seconds * 2 / 3)
        of.settle()
        faults = looks.found + verdict(of, readers)
        faults += conformance.faults(of, readers)
        faults += looking.faults(of, readers)
        if spark := conformance.spark_of(readers):
            since = foreign.change(spark, of)
            of.go_on()
            foreign.undo(of)
            of.load(seconds / 3)
            of.settle()
            print("after Spark's MERGE, OPTIMIZE and VACUUM:")
            faults += verdict(of, readers)
            faults += conformance.faults(of, readers, since)
        return conclude(of, faults)
