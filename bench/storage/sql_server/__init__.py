"""A store in a database on a server, as PostgreSQL: what MLflow leaves to whoever opens it.

driver       the package that speaks to it, and how long that waits
first_start  whose turn it is to make the tables
"""
