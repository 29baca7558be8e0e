"""What is answered over HTTP: the GLaaS v1 protocol and the graph API."""
