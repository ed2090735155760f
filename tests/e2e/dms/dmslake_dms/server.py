"""What a server's binlog must contain, and how one sets it."""

from dataclasses import dataclass

from .errors import SettingsError
from .source import Source


@dataclass(frozen=True)
class Need:
    """A variable and its value."""

    name: str
    wanted: str
    # Some versions do not have the variable and behave as if it had the value.
    may_be_absent: bool = True


NEEDS = [
    Need("binlog_format", "ROW"),
    Need("binlog_row_image", "FULL"),
    Need("binlog_row_metadata", "FULL", may_be_absent=False),
    # The library reads no compressed transactions or rows, and no parts of JSON values.
    Need("binlog_transaction_compression", "OFF"),
    Need("log_bin_compress", "OFF"),
    Need("binlog_row_value_options", ""),
]
MANAGED = "Where the server is managed (RDS, Aurora), set them in its parameter group instead."


def check(source: Source, server_id: int):
    """Refuses a server whose binlog would lack something."""
    with source.connection() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL VARIABLES")
        found = {name: value for name, value in cursor.fetchall()}
    version = found["version"]
    is_mariadb = "mariadb" in version.lower()
    server = f"{source.settings['host']}:{source.settings['port']}, {version},"
    if found["server_id"] == str(server_id):
        raise SettingsError(f"{server} has the id {server_id} itself: choose another --server-id")
    wrong = [need for need in NEEDS if not _is_met(need, found)]
    if any(need.name not in found for need in wrong):
        raise SettingsError(
            f"{server} is too old: its binlog does not name columns (binlog_row_metadata). "
            "MySQL 8.0 and MariaDB 10.5 are the first that can"
        )
    if found["log_bin"] != "ON":
        raise SettingsError(_no_log(server, wrong))
    if wrong:
        raise SettingsError(_remedy(server, wrong, found, is_mariadb))


def _is_met(need: Need, found: dict[str, str]) -> bool:
    value = found.get(need.name)
    return need.may_be_absent if value is None else value.upper() == need.wanted


def _no_log(server: str, wrong: list[Need]) -> str:
    lines = [
        f"{server} writes no binlog (log_bin is OFF). Add below [mysqld] in its configuration file"
    ]
    lines += ["  log_bin", *_in_file(wrong)]
    return "\n".join(
        [*lines, "and restart it. Where it is managed (RDS, Aurora), turn on its backups instead."]
    )


def _in_file(wrong: list[Need]) -> list[str]:
    return [f"  {one.name} = {one.wanted}" for one in wrong]


def _remedy(server: str, wrong: list[Need], found: dict[str, str], is_mariadb: bool) -> str:
    lines = [f"{server} writes a binlog that lacks something:"]
    lines += [f"  {one.name} is {found[one.name]}, not {one.wanted or 'empty'}" for one in wrong]
    lines.append("As an administrator of the server, run")
    # MySQL remembers what is persisted; MariaDB only what is in its file.
    scope = "GLOBAL" if is_mariadb else "PERSIST"
    lines += [f"  SET {scope} {one.name} = '{one.wanted}';" for one in wrong]
    if is_mariadb:
        lines.append("and, so that it lasts, add below [mysqld] in its configuration file")
        lines += _in_file(wrong)
    lines.append("Then reconnect its clients: sessions keep the values with which they began.")
    return "\n".join([*lines, MANAGED])
