"""What trials use of networks, data sets, optimizers and schedules from outside. No torch.

tables   the tables that a plug-in can add to, methods aside: how its values are read, and what identifies them
rows     the rows of these tables that come from outside: added, replaced, sent to workers
sources  what tells two rows of one name apart, as it enters the run key
"""
