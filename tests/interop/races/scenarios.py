"""The races, each on its own copy of one prepared table."""

from functools import partial
from pathlib import Path

from races.ours import Held, apply
from races.shop import Shop
from races.theirs import NEW, OPERATIONS, HeldTheirs, Theirs
from readers.deltalake import Deltalake
from readers.spark import Spark

CHANGES = ["mixed", "inserts"]

# How Spark's conflict check ends an operation that began before our commit.
OUTCOMES = {
    ("OPTIMIZE", "mixed"): "ConcurrentDeleteReadException",
    ("OPTIMIZE", "inserts"): "committed",
    ("OPTIMIZE, VACUUM", "mixed"): "ConcurrentDeleteReadException",
    ("OPTIMIZE, VACUUM", "inserts"): "committed",
    ("DELETE", "mixed"): "ConcurrentAppendException",
    ("DELETE", "inserts"): "ConcurrentAppendException",
    ("MERGE", "mixed"): "ConcurrentAppendException",
    ("MERGE", "inserts"): "ConcurrentAppendException",
    ("INSERT", "mixed"): "committed",
    ("INSERT", "inserts"): "committed",
}


def prepared(folder: Path, merge: str) -> Shop:
    """A table with several data files, and with masked rows if the merge mode masks."""
    shop = Shop(folder / "prepared", merge, seed=11)
    shop.load(range(300))
    checked_apply(shop)
    shop.change(upserts=range(300, 360))
    checked_apply(shop)
    shop.change(upserts=range(0, 300, 9), deletes=range(4, 300, 50))
    checked_apply(shop)
    return shop


def stage(shop: Shop, changes: str, new=NEW):
    """Changes that overlap with Spark's: rows that it changes too, and keys that it inserts."""
    if changes == "inserts":
        shop.change(upserts=[*range(400, 440), *new[:5]])
    else:
        shop.change(
            upserts=[*range(0, 360, 4), *range(400, 420), *new[5:12]],
            deletes=[*range(8, 360, 25), 412, 99_999],
        )


def all_of(session, table: Shop):
    """Names and races."""
    readers = [Spark(session), Deltalake()]
    for operation in OPERATIONS:
        for changes in CHANGES:
            names = f"{operation}, our {changes}"
            args = (session, readers, table, operation, changes)
            yield f"before our commit: {names}", partial(we_lose, *args)
            yield f"after our commit: {names}", partial(they_lose, *args)
    yield "in turns", partial(in_turns, session, readers, table)


def we_lose(session, readers, table, operation, changes) -> str:
    """Our commit is prepared, Spark commits, and ours must be refused and retried."""
    shop = table.copy(table.folder.with_name(f"we-lose-{operation}-{changes}".replace(", ", "-")))
    stage(shop, changes)
    operation = Theirs(session, shop, operation)
    with Held(shop) as held:
        base = shop.version()
        expect(held.at(1), base + 1, "the version of our first attempt")
        operation.run()
        shop.rows = operation.effect(shop.rows)
        theirs = shop.version()
        assert theirs > base, "Spark committed nothing"
        held.go(1)
        expect(held.at(2), theirs + 1, "the version of our second attempt")
        held.go(2)
        check_report(shop, held.report())
    check_rows(shop, readers)
    goes_on(shop, readers)
    return f"refused, then retried as version {theirs + 1}"


def they_lose(session, readers, table, operation, changes) -> str:
    """Spark is about to commit, we commit, and Spark's conflict check decides."""
    shop = table.copy(table.folder.with_name(f"they-lose-{operation}-{changes}".replace(", ", "-")))
    # An INSERT reads nothing, so no check of Spark prevents it from inserting a key again.
    stage(shop, changes, new=[] if operation == "INSERT" else NEW)
    expected = OUTCOMES[operation, changes]
    operation = Theirs(session, shop, operation)
    with HeldTheirs(operation) as held:
        check_report(shop, apply(shop))
        ours = dict(shop.rows)
        outcome = held.go()
    if outcome == "committed":
        shop.rows = operation.effect(ours)
    check_rows(shop, readers)
    goes_on(shop, readers)
    expect(outcome, expected, "how Spark ends")
    return f"Spark: {outcome}"


def in_turns(session, readers, table) -> str:
    """Spark and dmslake write alternately, and the table stays exact."""
    shop = table.copy(table.folder.with_name("in-turns"))
    for turn, operation in enumerate(["INSERT", "OPTIMIZE", "MERGE", "DELETE", "OPTIMIZE, VACUUM"]):
        theirs = Theirs(session, shop, operation)
        theirs.run()
        shop.rows = theirs.effect(shop.rows)
        stage(shop, CHANGES[turn % 2])
        checked_apply(shop)
        check_rows(shop, readers)
    return f"exact up to version {shop.version()}"


def checked_apply(shop: Shop):
    check_report(shop, apply(shop))


def goes_on(shop: Shop, readers):
    """The next objects are applied normally."""
    expect(apply(shop)["objects"], 0, "objects left to apply")
    shop.change(upserts=range(5, 420, 11), deletes=range(6, 420, 30))
    checked_apply(shop)
    check_rows(shop, readers)


def check_report(shop: Shop, report: dict):
    """Our report and the rows match the changes."""
    expected = {"status": "ok", "pending": 0, "error": None} | shop.applied()
    expect({name: report[name] for name in expected}, expected, "our report")


def check_rows(shop: Shop, readers):
    for reader in readers:
        found, expected = shop.read(reader), shop.texts()
        if found != expected:
            missing, surplus = set(expected) - set(found), set(found) - set(expected)
            raise AssertionError(
                f"{reader.name} reads {len(found)} rows instead of {len(expected)}; missing "
                f"{sorted(missing)[:3]}, unexpected {sorted(surplus)[:3]}"
            )


def expect(found, expected, what: str):
    if found != expected:
        raise AssertionError(f"{what}: {found} instead of {expected}")
