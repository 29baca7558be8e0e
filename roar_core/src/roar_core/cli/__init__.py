"""The command line: one module per command family, imported only when called.

`main` has the table of commands. Beside a command lie modules that begin with its name: `*_view`
and `*_words` say what people read, `*_document` what programs do. `registry` and `transfer` hold
the commands that talk to registries and to stores.
"""
