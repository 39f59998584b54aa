"""The methods that choose in rounds: score the masked network, keep fewer weights, again.

iterative   what they share: the number of live weights after each round
papers      the papers' methods: iterative SNIP, FORCE, SynFlow, NTK-SAP, PX
loop        the loop over the rounds
synflow     SynFlow's score, of absolute or squared weights
ntk_sap     NTK-SAP's score: how much the outputs depend on the mask, over redrawn weights
px          PX's score: the squared weights of the paths that the images make active
paths       what PX puts in place of ReLU and BatchNorm, and which functions it can see through
"""
