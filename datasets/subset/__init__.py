"""Some classes of a data set as a data set of their own: `cifar10:classes=0-4`. Imports no torch.

chosen_classes  how a name lists the classes, and the one name for each list
subset          the row of such a data set, and its images
"""
