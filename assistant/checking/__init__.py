"""Does a claim say what the sentences it cites say? What a chat model writes is shown only if so.

Three kinds of check, the exact ones first: what the claim states exactly (quantities, dates, names,
quotations: `stated`) must stand in the cited sentences; how it says it (`manner`: polarity, plan or
deed, all or some, causes; `relations`: who did what to whom, what a number belongs to) must not go
against them; and its meaning must be near theirs (`meaning`), by a score fitted on development
drafts. Attributed question answering (Bohnet et al. 2022, arXiv:2212.08037) calls such a claim
attributable; here it is decided without a judge model, by comparison.
"""
