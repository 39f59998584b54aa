"""Methods whose masks change while training.

revision         a moment of a training, as a method sees it
shaping          the network of a trial while its method shapes it, step by step
schedule         at which epochs masks change, and by how much
dense_at_first   methods that begin with all weights live
sparse_training  RigL and SET: some live weights of each layer change places
edge_popup       edge-popup: a mask is trained, and the weights keep their start
gradual          cubic gradual magnitude pruning, and DropBack: all layers are ranked together
"""
