"""Results on their way to the store: off the critical path, and on the disk until they are there.

write_queue   one writer thread: results leave the critical path, and none is lost silently
folders       where the undelivered results of a store are, however its address is written
undelivered   finished trials on the disk until the store has them
redeliver     what a command could not deliver, delivered by the next one
"""
