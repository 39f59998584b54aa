"""What a section says of its plan.

plan_words   in words: as planned, or each departure
plan_record  as JSON and CSV have it, and which comparisons are planned
"""
