"""What was decoded once, kept on disk. No torch.

decoded       the decoded arrays of a data set: from the cache, else decoded and put there
array_folder  a folder of arrays: written once, as a whole, and mapped into memory by every reader
checked       which data sets were once loaded and found fit
hashes        the md5s of many files, remembered
"""
