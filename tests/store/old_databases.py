"""Databases as older versions left them, on either kind of server."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from store.home import Home

GOLDEN = Path(__file__).parent / "golden"


def load(home: Home, version: int) -> str:
    """Fills the empty database with what an older version left; where it is."""
    text = (GOLDEN / f"version_{version}.sql").read_text("utf-8")
    url = home.database_url
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database))) as connection:
            connection.executescript(text)
        return str(url.database)
    import psycopg

    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as server:
        server.execute(re.sub("^PRAGMA.*", "", text, flags=re.MULTILINE).encode())
    return str(url)
