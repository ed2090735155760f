"""What a corpus must contain to be a meaningful test of readers."""

from urllib.parse import unquote

TYPES = {
    *("byte", "short", "integer", "long", "double", "boolean", "date", "timestamp"),
    *("string", "binary", "decimal(5,0)", "decimal(15,2)", "decimal(20,0)", "decimal(38,10)"),
}
FEWEST_TABLES = 20


def gaps(tables) -> list[str]:
    """Descriptions of what this corpus lacks."""
    types = {kind for table in tables for _, kind in table.columns(table.version)}
    adds = [add for table in tables for add in table.of("add")]
    paths = [unquote(add["path"]) for add in adds]
    tests = {
        f"{FEWEST_TABLES} tables": len(tables) >= FEWEST_TABLES,
        "deletion vectors": any(add.get("deletionVector") for add in adds),
        "columns of every type": types >= TYPES,
        "keys of several columns": any(len(table.keys) > 1 for table in tables),
        "file names with space, percent sign and é": any(
            all(sign in path for sign in " %é") for path in paths
        ),
        "table folders with a space and é": any(" " in table.root.name for table in tables),
        "INT96 timestamps": any(table.has_int96 for table in tables),
        "merges that insert, update and delete": all(
            any(merge[fate] for table in tables for merge in table.merges)
            for fate in ("inserted", "updated", "deleted")
        ),
    }
    return [f"the corpus has no {name}" for name, is_there in tests.items() if not is_there]
