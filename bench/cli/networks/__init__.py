"""The networks themselves, before anything is trained.

network_listing  what `list models --model` prints
"""
