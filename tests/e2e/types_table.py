"""A table with a column for each supported type, and values at its limits."""

import random

SCHEMA = "shop"
TABLE = "every_type"

# Name, MySQL type, and SQL literals of its values; every column also has NULL.
COLUMNS = [
    ("tiny", "TINYINT", ["-128", "0", "127"]),
    ("tiny_u", "TINYINT UNSIGNED", ["0", "128", "255"]),
    ("small", "SMALLINT", ["-32768", "0", "32767"]),
    ("small_u", "SMALLINT UNSIGNED", ["0", "32768", "65535"]),
    ("medium", "MEDIUMINT", ["-8388608", "0", "8388607"]),
    ("medium_u", "MEDIUMINT UNSIGNED", ["0", "8388608", "16777215"]),
    ("int_s", "INT", ["-2147483648", "0", "2147483647"]),
    ("int_u", "INT UNSIGNED", ["0", "2147483648", "4294967295"]),
    ("big", "BIGINT", ["-9223372036854775808", "0", "9223372036854775807"]),
    ("big_u", "BIGINT UNSIGNED", ["0", "9223372036854775808", "18446744073709551615"]),
    ("money", "DECIMAL(12,2)", ["-9999999999.99", "-0.01", "0.00", "9999999999.99"]),
    ("wide", "DECIMAL(38,10)", [f"-{'9' * 28}.{'9' * 10}", f"{'9' * 28}.{'9' * 10}", "0.0000000001"]),
    ("widest", "DECIMAL(65,30)", [f"-{'9' * 35}.{'9' * 30}", "1", "0"]),
    ("single", "FLOAT", ["-3.40282e38", "0", "1.1", "16777216"]),
    ("dbl", "DOUBLE", ["-1.7976931348623157e308", "2.2250738585072014e-308", "0.1", "0"]),
    ("bit1", "BIT(1)", ["b'0'", "b'1'"]),
    ("bit9", "BIT(9)", ["b'0'", "b'100000001'", "b'111111111'"]),
    ("bit63", "BIT(63)", [f"b'{'1' * 63}'", "b'1'"]),
    ("bit64", "BIT(64)", [f"b'{'1' * 64}'", "b'1'"]),
    ("day", "DATE", ["'0000-00-00'", "'1000-01-01'", "'1969-12-31'", "'9999-12-31'", "'2024-02-29'"]),
    ("dt0", "DATETIME", ["'0000-00-00 00:00:00'", "'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'"]),
    ("dt3", "DATETIME(3)", ["'1969-12-31 23:59:59.999'", "'2024-02-29 12:34:56.789'"]),
    ("dt6", "DATETIME(6)", ["'9999-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.000001'"]),
    ("ts6", "TIMESTAMP(6) NULL", ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'"]),
    ("clock", "TIME", ["'-838:59:59'", "'00:00:00'", "'838:59:59'", "'-00:00:01'"]),
    ("clock3", "TIME(3)", ["'-838:59:58.999'", "'00:00:00.001'", "'-00:00:00.500'", "'-12:00:00'"]),
    ("clock6", "TIME(6)", ["'-838:59:58.999999'", "'838:59:58.000001'", "'-00:00:00.000001'"]),
    ("yr", "YEAR", ["0", "1901", "2155"]),
    ("chars", "CHAR(20)", ["''", "'x'", "'äöü €'", "'😀 \U0001f680'"]),
    ("vchar", "VARCHAR(200)", [
        "''", "' '", "'NULL '", "'say \"hi\", twice'", "'a\\nb\\r\\nc'", "'back\\\\slash'",
        "'😀,\\t\"'", "'\\''", "'trailing  '",
    ]),
    ("ttxt", "TINYTEXT", ["''", "'tiny'"]),
    ("mtxt", "MEDIUMTEXT", ["''", "REPEAT('medium ', 9000)"]),
    ("txt", "TEXT", ["''", "'one, \"two\"\\nthree'", "REPEAT('€', 3000)"]),
    ("ltxt", "LONGTEXT", ["''", "REPEAT('long ', 9000)"]),
    ("js", "JSON", ["""'{"a": [1, 2.5, "x\\\\"y"]}'""", "'null'", "'[]'"]),
    ("choice", "ENUM('a','b,c','d\"e','ü')", ["'a'", "'b,c'", "'d\"e'", "'ü'", "''"]),
    ("choices", "SET('x','y','ü')", ["''", "'x'", "'x,y,ü'"]),
    ("bin", "BINARY(8)", ["X''", "X'00'", "X'0001020000000000'", "X'FFFFFFFFFFFFFFFF'"]),
    ("vbin", "VARBINARY(300)", ["X''", f"X'{bytes(range(256)).hex()}'", "X'00'"]),
    ("blb", "BLOB", ["X''", f"X'{bytes(range(256)).hex()}'", "X'0A0D2C22'"]),
    ("tblb", "TINYBLOB", ["X''", "X'00'"]),
    ("mblb", "MEDIUMBLOB", ["X''", f"X'{bytes(range(256)).hex()}'"]),
    ("place", "POINT", ["POINT(1, 2)", "POINT(-0.5, 1e300)"]),
    ("area", "GEOMETRY", ["ST_GeomFromText('POLYGON((0 0, 1 0, 1 1, 0 0))')"]),
    ("lblb", "LONGBLOB", ["X''", f"X'{bytes(range(255, -1, -1)).hex()}'"]),
]  # fmt: skip


def create(database):
    columns = ", ".join(f"`{name}` {kind}" for name, kind, _ in COLUMNS)
    database.run(
        f"CREATE DATABASE {SCHEMA}",
        f"CREATE TABLE {SCHEMA}.`{TABLE}` (id BIGINT PRIMARY KEY, {columns})",
    )


def fill(database):
    """Rows in which every value of every column occurs at least once."""
    for number in range(max(len(literals) for _, _, literals in COLUMNS) + 1):
        choices = [[*literals, "NULL"] for _, _, literals in COLUMNS]
        insert(database, number + 1, [one[number % len(one)] for one in choices])


def insert_random(database, chance: random.Random, row: int):
    values = [chance.choice([*literals, "NULL"]) for _, _, literals in COLUMNS]
    insert(database, row, values)


def insert(database, row: int, values: list[str]):
    names = ", ".join(f"`{name}`" for name, _, _ in COLUMNS)
    database.run(
        f"INSERT INTO {SCHEMA}.`{TABLE}` (id, {names}) VALUES ({row}, {', '.join(values)})"
    )


def change(database, chance: random.Random, count: int):
    """Updates of one column, of a key, and deletes."""
    with database.connection() as connection, connection.cursor() as cursor:
        for _ in range(count):
            cursor.execute(f"SELECT id FROM {SCHEMA}.`{TABLE}` ORDER BY RAND() LIMIT 1")
            (row,) = cursor.fetchone()
            dice = chance.random()
            where = f"{SCHEMA}.`{TABLE}`"
            if dice < 0.1:
                cursor.execute(f"DELETE FROM {where} WHERE id = {row}")
            elif dice < 0.25:
                moved = row + chance.choice([1_000_000, -1_000_000])
                cursor.execute(f"UPDATE IGNORE {where} SET id = {moved} WHERE id = {row}")
            else:
                name, _, literals = chance.choice(COLUMNS)
                value = chance.choice([*literals, "NULL"])
                cursor.execute(f"UPDATE {where} SET `{name}` = {value} WHERE id = {row}")

