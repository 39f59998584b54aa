"""The methods that choose in rounds: score the masked network, keep fewer weights, again.

iterative   what they share: the number of live weights after each round
papers      the papers' methods: iterative SNIP, FORCE, SynFlow
loop        the loop over the rounds
synflow     SynFlow's score
"""
