"""A page to look around in a graph: one file that loads nothing and sends nothing.

`document` puts together what lies beside it: `page.css`, and the script in the order of `SCRIPTS`.
"""
