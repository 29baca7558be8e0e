"""Publishing: from the graph document to a registration, previewed, sent, remembered.

`job_documents`, `link_documents` and `dataset_documents` say what is sent, and read it back;
`checkout` what is said of the repository. `work` is all that something came from, in these words.
`destination` says where it goes, `known` what is there already, `plan` what is left, `preview` what
of that will be seen, `consent` whether the user agreed. `registering` carries a plan out: `pieces`
cuts it into requests, `sending` sends each session of them, `tokens` keeps its secret meanwhile.
`package` is the same as a file.
"""
