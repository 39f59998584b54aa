"""What stands apart: methods in a group of their own, in no comparison with the others.

trained_first  methods whose masks follow from another training: figures, and what they cost
"""
