"""Pages about accounts: signing in, one's own, letting a program in, projects and who works there.

They alone have forms that change something, and such a form must come from one of them.
"""
