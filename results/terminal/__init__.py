"""The tables on a terminal: the answer first, and tables that fit the width.

screen  what a terminal shows of a store, in short and in full
fitted  a table of text as rich tables that fit a width, no number broken
"""
