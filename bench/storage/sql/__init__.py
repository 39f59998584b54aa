"""A store in a database: what MLflow leaves to whoever opens it.

driver       the package that speaks to a server, and how long that waits
first_start  whose turn it is to make the tables on a server
new_file     a new store in a file, whole or not there
ended_run    a run that has ended, as rows of MLflow's tables
run_writer   such runs with their files, in one transaction
"""
