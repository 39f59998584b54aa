"""The Python interface, for notebooks and scripts: `bench.compare` and `bench.frame`.

compare     `compare`: train what a store lacks of a comparison
arguments   from Python's values to methods, rates, seeds and the fields of a protocol
start       from Python's values to what is asked of the start
outside     networks, data sets, optimizers and schedules that are objects, under a name
command     a call of `compare` as a line of Python
comparison  what `compare` returns: frame, curves, answer, tables, plots
stored      what a store holds: its address, its frame
sweep_page  the answer of a sweep on its page in MLflow, with table, plots and report
views       what tables and plots show of a frame
classes     of each data set: how many classes and test images it has
process     the process as it was before
cell        the progress of a sweep below the cell of a notebook
"""
