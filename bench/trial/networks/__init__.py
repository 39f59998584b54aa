"""The networks that a trial can name.

inspection  networks of libraries, and what is found of a network from outside
"""
