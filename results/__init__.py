"""From the store to the table and the plots: collect, statistics, tables, plots. Imports neither torch nor ray."""
