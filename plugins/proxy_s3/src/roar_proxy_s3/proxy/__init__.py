"""The proxy: a process between one command and its object store, for the length of one run.

    python -m roar_proxy_s3.proxy FILE

FILE is what `settings.Settings` is read from, mode 0600, and is deleted once read. In the run's
folder appear `ready.json` ({"port", "pid"}, atomically, when it listens, unless it was started
listening) and `objects.jsonl`: one line (`facts.Fact`) for each operation on an object that
succeeded, after its last byte. The process ends on SIGTERM, after the last byte of what is under
way, and when the run's folder is gone. It listens on 127.0.0.1 only.

A request comes by one of two ways, told apart by its `Host` (`admission`):

* To the proxy's own name (127.0.0.1:PORT, localhost:PORT, BUCKET.localhost:PORT): a client that was
  given the proxy as its endpoint. The request must be signed by a key that the run has; it is
  signed anew for the store and goes there, whatever the client's spelling of the target was.

* To any other name: **passed through**, if it carries the run's secret in `Roar-Run` and the origin
  that it was signed for, such as `https://bucket.s3.amazonaws.com`, in `Roar-Origin`, whose host
  and port must be `Host`'s. Both headers are taken off, and all the rest goes to that origin
  untouched, the client's signature included. botocore's hook (which dials the proxy after
  signing, and knows the secret from the run's folder) sends these. Without the secret it is
  refused: no web page, and no other user of the machine, gets anything through here.

Whatever else comes is answered by an error in S3's XML that says what to do. Credentials are in
this process's memory and nowhere else. Nothing is logged.
"""
