"""Plans of what is to be compared, and looks at the results before their end. Import MLflow late.

stored_plan  a plan into the store: once, before the first of its trials
looks        a look at the results of a plan, as a tag of its run
"""
