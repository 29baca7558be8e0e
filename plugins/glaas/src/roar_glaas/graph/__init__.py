"""Questions to the graph: what made an artifact, what was made of it, what is in it.

`uses` and `producers` hold the one rule of which job made what; `closure` walks by it, hop by hop;
`neighbours`, `subgraph`, `paths`, `sources`, `results` and `comparison` answer with it. Things are
found in `artifacts`, `sessions`, `jobs`, `files`, `labelled` and `membership`. `paging` and
`limits` bound what one question may cost.
"""
