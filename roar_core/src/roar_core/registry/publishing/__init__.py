"""Publishing: from the graph document to a registration, previewed, sent, remembered.

`job_documents`, `link_documents` and `dataset_documents` say what is sent, and read it back.
"""
