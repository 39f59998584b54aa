"""The networks themselves, before anything is trained.

stored           networks of the store by run, and their bases
network_listing  what `list models --model` prints
"""
