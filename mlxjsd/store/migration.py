"""Bringing a run file of an older version to this one."""

import sqlite3

from mlxjsd.store import schema
from mlxjsd.store.checksums import SEAL, Changes
from mlxjsd.store.rows import checked_rows, upgraded


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file of ``version`` to this one; inside a transaction of the caller.

    Every table is made anew and filled from the old one, whatever the version.

    Raises:
        Damage: if a row is not what was written.
    """
    old = schema.LAYOUTS[version]
    for table in old.tables:
        connection.execute(f"ALTER TABLE {table} RENAME TO {_old(table)}")
    changes = Changes(connection, empty=True)
    for table in schema.TABLES:
        connection.execute(schema.create(table))
        rows = checked_rows(connection, table, version, _old(table))
        if table == "results":
            changes.insert(table, (upgraded(row, version) for row in rows))
        elif table == "meta":
            changes.insert(table, (row for row in rows if row[0] != SEAL))
        else:
            changes.insert(table, rows)
    for table in old.tables:
        connection.execute(f"DROP TABLE {_old(table)}")
    for key, value in old.unwritten.items():
        changes.put_meta(key, value)
    changes.put_seal()
    connection.execute(f"PRAGMA user_version = {schema.VERSION}")


def _old(table: str) -> str:
    return f"{table}_of_older_version"
