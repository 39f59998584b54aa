"""Where results are kept.

destinations    where the results of a sweep go: the MLflow store or an offline folder
mlflow_store    the MLflow store: what its one writer and its readers need
stored_trials   the trials of an MLflow store: how they ended, and what their runs have
client          MLflow's client: opened, and what is asked of it in several of its calls
store_uri       where the MLflow store is: its address, and what that must be
store_check     what is at that address: a store, nothing yet, or what can be none; creates nothing
database        what a database holds: MLflow's tables, none, or another application's
run_folders     where the files of runs are: beside the store, or where the store says
sql             a store in a database: its driver, whose turn it is to make the tables, a new file made whole
mlflow_fields   a finished trial as MLflow's parameters, tags and metrics
mlflow_pages    what MLflow's pages are told of a sweep: its kind, its columns; and their addresses
mlflow_ui       MLflow's pages on a store, in a child process
ownership       who writes a run of the store, and when another may end it
recorder        the one writer of a sweep's results
tracking        what is written beside the store or the folder: tables, runs elsewhere
delivery        results on their way to the store: off the critical path, and on the disk until they are there
entry           a finished trial, as one line of JSON until it is stored
offline_folder  finished trials as files, without MLflow
offline_import  the trials of an offline folder stored in MLflow, each run key once
choices         the hyper-parameters that `tune` chose
plans           what is to be compared, and looks at the results before their end
checkpoint      what a trial needs to resume after its last whole epoch
files           files that are there whole or not at all, in a folder or an object store
environment     where a trial ran: hardware, versions, state of the source, as tags
"""
