"""The table: whole, and one of its parts alone, for a paper or for another program.

parts        PARTS: the tables by name
part_page    one part of every section, in each format
records      a part as records, for CSV and JSON
whole        `render`: the whole table, from the tidy frame, in five formats
latex_whole  the whole as LaTeX: its parts, section by section
latex_table  a part as LaTeX for a paper: label, short caption, notes, booktabs, siunitx
paper_grids  the tables of comparisons with fewer columns
latex_words  text and names as LaTeX, whatever is in them
gradient_norms  the norm of the gradient by method and rate, before and in training
columns      a column of text as a column of siunitx, if it holds numbers
"""
