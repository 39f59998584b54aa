"""The whole store as one page.

report     the answer, threats, figures, a part for each section, commands
section    a section: short words and tables, with how it was trained and tested folded behind them
said_once  explanations without the sentences that the page has said before
looks      departures from plans; or that nothing was planned, and how often one could look
threats    threats to validity that hold for this very store
"""
