"""From the store to the table: collect, statistics, tables. Imports neither torch nor ray."""
