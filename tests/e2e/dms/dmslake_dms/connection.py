"""The source's URL, and what a server says when it refuses."""

import os
import ssl
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql

from .errors import SettingsError

FORM = "mysql://USER[:PASSWORD]@HOST[:PORT][/SCHEMA]"
# As in URLs of `dmslake --mysql`.
TLS = {"require_ssl": "false", "verify_ca": "true", "verify_identity": "true"}
GRANT = "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO …"


def parsed(url: str) -> tuple[dict, str]:
    """Settings for `pymysql`, and the schema, which may be empty."""
    parts = urlsplit(url)
    try:
        port = parts.port or 3306
    except ValueError:
        port = 0
    if parts.scheme != "mysql" or not parts.hostname or not port:
        raise SettingsError(f"the source must be {FORM}")
    settings = {
        "host": parts.hostname,
        "port": port,
        "user": unquote(parts.username or "root"),
        "password": unquote(parts.password or os.environ.get("MYSQL_PWD", "")),
        "charset": "utf8mb4",
    }
    tls = _tls(parse_qs(parts.query))
    return settings | ({"ssl": tls} if tls else {}), unquote(parts.path.strip("/"))


def _tls(given: dict[str, list[str]]) -> ssl.SSLContext | None:
    chosen = dict(TLS)
    for name, (value, *_) in given.items():
        if name not in TLS or value not in ("true", "false"):
            known = ", ".join(f"{one}=true or false" for one in TLS)
            raise SettingsError(f"the source has ?{name}={value}, but known are {known}")
        chosen[name] = value
    if chosen["require_ssl"] == "false":
        return None
    context = ssl.create_default_context()
    is_verified = chosen["verify_ca"] == "true"
    context.check_hostname = is_verified and chosen["verify_identity"] == "true"
    context.verify_mode = ssl.CERT_REQUIRED if is_verified else ssl.CERT_NONE
    return context


def explained(error: pymysql.err.MySQLError, settings: dict) -> str:
    """An error of the server or the driver, with a remedy where one is known."""
    code, text = (*error.args, "", "")[:2]
    server = f"{settings['host']}:{settings['port']}"
    if "CERTIFICATE_VERIFY_FAILED" in str(text):
        return (
            f"{server} has a certificate that nothing here vouches for: set SSL_CERT_FILE to its "
            f"authority's, or add verify_ca=false to the URL. {text}"
        )
    if code == 2003:
        return f"no server answers at {server}: {text}"
    if code in (1044, 1045, 1142, 1227):
        return f"{server} refuses {settings['user']}: {text}. It needs: {GRANT}"
    if code == 1236 and "same server" in str(text):
        return f"another replica of {server} has the same id: choose another --server-id. {text}"
    if code == 1236:
        return (
            f"{server} does not have the log any more from where this task stopped: load everything "
            f"again with --restart, and keep the log for longer (binlog_expire_logs_seconds). {text}"
        )
    return f"{server}: {text or error}"
