"""The runs of an MLflow store, read: what is asked of them, and no more.

query        which runs, and what of them
reading      the runs, and the curves of their figures, by the fastest way that the store has
by_database  from the tables of a database, in a query each
by_client    through MLflow's client, from any store
"""
