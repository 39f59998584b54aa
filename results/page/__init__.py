"""The whole store as one page.

report   the question, the answer, tables, figures, controls, threats, commands
threats  threats to validity that hold for this very store
"""
