"""Registering without a registration session (GLaaS v1, section 5), as older clients do.

Nothing marks the end there, and the client reads artifacts back between its requests. So nothing
can be staged: each request is accepted whole or not at all, as records of its own that name the
session, and the session is what they add up to. A client that dies leaves the beginning of one;
registering again adds what is missing and repeats nothing.

There is no token either. The hash that the client made of its work stands in for one: it is made of
paths, times and machine names, travels in requests alone, and is never told to anybody. The session
is registered under a hash of that hash, and takes additions as long as a registration may be open.
All of it is public, and by nobody known.
"""
