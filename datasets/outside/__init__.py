"""Data sets from outside as arrays: read once, checked, and told by the content of the arrays. Imports no torch.

arrays             what such arrays must be, their content hash, and the row that says all of them
kept               the arrays on disk, by their content, and what is known of a file that was read
objects            what a function or class gives: arrays, or pairs of torch's data sets
items              images one by one, as Pillow's or as arrays, to arrays
npz                a file of NumPy's
torchvision_class  a class of torchvision.datasets
hugging_face       a data set of Hugging Face's `datasets`
"""
