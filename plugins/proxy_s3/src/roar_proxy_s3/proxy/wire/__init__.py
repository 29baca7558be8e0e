"""HTTP/1.1 on both sides of the proxy, byte for byte what an S3 request needs, and no more.

fields     header fields, and the heads that hold them
inbound    connections of clients: which request is answered next
outbound   a connection to a store: a request goes out, its answer is handed on as it comes
patience   how long a client is waited for that asks for nothing
pool       which connections to stores there are, and how one is made
receiving  what has come: how much of it is taken at once, and what is left of it
request    a request as it comes in, and the way back to its client
"""
