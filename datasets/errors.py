"""DataError: what is wrong with a data set's files, in one line."""


class DataError(ValueError):
    """A data file is missing, unreadable or not what it should be."""
