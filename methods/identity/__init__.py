"""What identifies a method: its fields and its source; whatever else can change what it does is refused, or hashed.

identify     the one check of a method that enters a sweep, and the hash of its source
classes      classes of one file, told apart by name or refused
plain        the values that canonical JSON keeps
code         the hash of the source of other code from outside
reach        what the code of a method reads, and what of that does not follow from its source
written      whether a value is what the source says
draws        evaluating without a trace in the random generators
described    a value as JSON
purity       what an expression of a source depends on besides the source
syntax       a source file as syntax: what binds a name, what a definition is
files        whose a module is, and where its file lies
"""
