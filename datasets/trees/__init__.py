"""Trees of image files as data sets. Imports no torch.

folder    a tree with train/ and test/ or val/, in each a folder per class
caltech   Caltech-101: a folder per class, and a test set that is ours
pictures  image files, decoded with Pillow
walk      what lies in a tree: links followed, and whatever cannot be read named
"""
