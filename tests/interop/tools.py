"""The locations of the tools that `run` installs."""

import os
from pathlib import Path

ROOT = Path(os.environ["DMSLAKE_INTEROP_TOOLS"])
TRINO = ROOT / "trino-476"
JARS = sorted((ROOT / "jars").glob("*.jar"))


def java(version: int) -> dict[str, str]:
    """The environment of a program that needs this Java."""
    home = os.environ[f"DMSLAKE_JAVA_{version}"]
    return os.environ | {"JAVA_HOME": home, "PATH": f"{home}/bin:{os.environ['PATH']}"}


def use_java(version: int):
    """Makes programs started by this process use this Java."""
    os.environ.update(java(version))
