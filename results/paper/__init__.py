"""What a paper says of a store: a paragraph on its methods, and the works that it cites.

cite        `report --cite`: the paragraph and the BibTeX of what it cites
paragraph   the sentences, true for this very store
sources     what each method, data set, network, initialiser and test is cited by
references  REFERENCES: the works themselves, in BibTeX
"""
