"""Code from outside, as a plug-in's: it runs so that what it changes of the process reaches no other trial.

process_state  what a process has that code can change: a row per setting of Python and NumPy
torch_state    the same of torch, with the value that every trial runs with
bindings       functions of torch, NumPy and ours that code can replace
guard          running such code: what it changes is put back and named, and it cannot end the process
"""
