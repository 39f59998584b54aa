"""The package by which Python speaks to a database server, and how long that waits for an answer. Imports no MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.messages import folded

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

CONNECT_SECONDS = 5  # the longest wait for a connection
# What the driver calls the time to wait, and how its package is installed if that has another name than the module.
WAITS = {
    "psycopg": "connect_timeout", "psycopg2": "connect_timeout", "pg8000": "timeout", "mysqldb": "connect_timeout",
    "pymysql": "connect_timeout", "mysqlconnector": "connection_timeout", "pyodbc": "timeout",
    "pymssql": "login_timeout",
}  # fmt: skip
PACKAGES = {
    "psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
}  # fmt: skip
EXTRAS = {"psycopg": "freeze-or-prune[postgres]"}  # of our own package, which install the driver


@contextmanager
def connected(uri: str) -> Iterator[Connection]:
    """A connection of its own to the database, without MLflow's wait of minutes; what is not committed is undone.

    Raises: ValueError, in one line, if the driver is not installed; SQLAlchemyError as SQLAlchemy does.
    """
    with engine_of(uri).connect() as connection:
        yield connection


def engine_of(uri: str, **driven: object) -> Engine:
    """What makes such connections, which keeps none of them; `driven`: further words to the driver.

    Raises: ValueError, in one line, if the driver is not installed.
    """
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.pool import NullPool

    option = WAITS.get(_driver(uri))
    wait = {option: CONNECT_SECONDS} if option and option not in make_url(uri).query else {}
    return create_engine(uri, poolclass=NullPool, connect_args=wait | driven)


def _driver(uri: str) -> str:
    """SQLAlchemy's name of the address's driver. Raises ValueError if it is not installed."""
    from sqlalchemy import make_url

    try:
        dialect = make_url(uri).get_dialect()
        dialect.import_dbapi()
    except ModuleNotFoundError as error:
        top = (error.name or "").partition(".")[0]
        package = PACKAGES.get(top, top)
        raise ValueError(
            f"store {uri}: needs the package {package}: `pip install '{EXTRAS.get(top, package)}'`"
        ) from error
    except (ImportError, ValueError) as error:  # a driver without its system library; a port that is no number
        raise ValueError(f"store {uri}: {folded(error)}") from error
    return str(dialect.driver)
