"""More places for `roar get` and `roar put`: one package each, which imports its library when a URL
of its scheme is moved.

    google_storage  gs://bucket/key            the extra gs
    hugging_face    hf://owner/repo/path       the extra hf
    extras          what is said when the library is not there
"""
