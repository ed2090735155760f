"""Runs the first steps with stand-ins for `aws` and `mysql`, and checks how these were called.

Usage: first_steps.py SCRIPT SQL, the outputs first_steps and source_sql for moto.tfvars.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT, SQL = (Path(path) for path in sys.argv[1:3])
AUTHORITIES = Path(__file__).parent / "ca.pem"
GRANTS = r"""
GRANT REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO 'dmslake'@'%';
GRANT SELECT ON `Web\_log`.* TO 'dmslake'@'%';
GRANT SELECT ON `shop`.* TO 'dmslake'@'%';
CALL mysql.rds_set_configuration('binlog retention hours', 72);
"""

# Each records how it was called. The name of a secret decides between those of DMS and the master user.
AWS = """#!/bin/sh
printf '%s\\n' "$*" >>"$NOTES/aws"
case $* in *dms-user*) printf '%s\\n' "$DMS_SECRET" ;; *) printf '%s\\n' "$MASTER_SECRET" ;; esac
"""
MYSQL = """#!/bin/sh
printf '%s\\n' "$*" >"$NOTES/mysql"
printf '%s' "$MYSQL_PWD" >"$NOTES/password"
case $* in *--ssl-ca=*) file=${*#*--ssl-ca=}; cat "${file%% *}" >"$NOTES/authorities" ;; esac
cat >"$NOTES/sql"
"""


class FirstSteps(unittest.TestCase):
    maxDiff = None

    def run_script(self, password="abc123", **changed):
        """The exit status, and what the stand-ins recorded."""
        with tempfile.TemporaryDirectory() as folder:
            notes, programs = Path(folder) / "notes", Path(folder) / "programs"
            notes.mkdir()
            programs.mkdir()
            for name, text in (("aws", AWS), ("mysql", MYSQL)):
                (programs / name).write_text(text)
                (programs / name).chmod(0o755)
            environment = {
                "PATH": f"{programs}:{os.environ['PATH']}",
                "TMPDIR": folder,
                "NOTES": str(notes),
                "MASTER_SECRET": json.dumps({"username": "admin", "password": "$master's \\ `own`"}),
                "DMS_SECRET": json.dumps({"host": "h", "port": 3306, "password": password}),
                **changed,
            }
            done = subprocess.run(
                ["bash", SCRIPT], env=environment, capture_output=True, text=True, timeout=60
            )
            left = sorted(path.name for path in Path(folder).iterdir())
            self.assertEqual(left, ["notes", "programs"], "no file is left behind")
            return done, {path.name: path.read_text() for path in notes.iterdir()}

    def test_it_makes_the_user_with_the_password_of_the_secret(self):
        done, noted = self.run_script()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        user = "'dmslake'@'%' IDENTIFIED BY 'abc123' REQUIRE SSL;"
        self.assertEqual(
            noted["sql"], f"CREATE USER IF NOT EXISTS {user}\nALTER USER {user}{GRANTS}"
        )
        self.assertEqual(noted["password"], "$master's \\ `own`")
        self.assertEqual(noted["authorities"], AUTHORITIES.read_text())
        host = r"shop\.[a-z0-9.-]+\.rds\.amazonaws\.com"
        self.assertRegex(
            noted["mysql"], f"^--host {host} --port 3306 --user admin --ssl-ca=/[^ ]+\n$"
        )

    def test_it_asks_aws_for_two_secrets_and_for_nothing_else(self):
        _, noted = self.run_script()
        arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
        calls = noted["aws"].splitlines()
        self.assertEqual(len(calls), 2)
        for call, secret in zip(calls, (r"[^ ]+", r"shop/dms-user-[^ ]+")):
            self.assertRegex(
                call,
                "^secretsmanager get-secret-value --region eu-west-1"
                f" --secret-id {re.escape(arn)}{secret} --query SecretString --output text$",
            )

    def test_it_stops_before_the_database_at_what_it_cannot_use(self):
        for changed in (
            {"password": "a'; DROP TABLE t; --"},
            {"DMS_SECRET": "{}"},
            {"MASTER_SECRET": "An error occurred"},
        ):
            done, noted = self.run_script(**changed)
            self.assertNotEqual(done.returncode, 0, changed)
            self.assertNotEqual(done.stderr, "", changed)
            self.assertNotIn("mysql", noted, changed)

    def test_an_administrator_is_told_the_same(self):
        user = "'dmslake'@'%' IDENTIFIED BY '<password of the secret>' REQUIRE SSL;"
        self.assertEqual(SQL.read_text(), f"CREATE USER {user}{GRANTS}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
