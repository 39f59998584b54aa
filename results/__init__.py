"""From the store to tables, plots and the report. Imports neither torch nor ray.

frame       the store as one tidy frame
statistics  what is computed of a frame
tables      the tables, in words and numbers
parts       the table: whole, or a part alone for a paper or another program
terminal    the tables on a terminal
paper       what a paper says of a store, and what it cites
plots       the plots
page        the whole store as one page
published   published figures, one JSON file a paper
reports     measured reports, with the commands that made them
"""

if __name__ != "bench.results":  # found as a folder of the checkout
    raise ModuleNotFoundError("No module named 'results': import bench.results now", name="results")
