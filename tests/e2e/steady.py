"""Nothing fails: sysbench at full speed, then every version is looked at; Spark changes our
tables, and we go on after it."""

import conformance
import foreign
from scene import begin, conclude, scene, verdict


def run(programs, seed: int, seconds: float, readers: list) -> list[str]:
    """Comes to what is wrong."""
    with scene("steady", programs, seed, ["copy-on-write"]) as of:
        begin(of)
        of.load(seconds * 2 / 3)
        of.settle()
        faults = verdict(of, readers)
        faults += conformance.faults(of, readers)
        if spark := conformance.spark_of(readers):
            since = foreign.change(spark, of)
            of.go_on()
            foreign.undo(of)
            of.load(seconds / 3)
            of.settle()
            print("after MERGE, OPTIMIZE and VACUUM of Spark's:")
            faults += verdict(of, readers)
            faults += conformance.faults(of, readers, since)
        return conclude(of, faults)
