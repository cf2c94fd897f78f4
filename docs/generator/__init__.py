"""What the reference says of the code, taken from the code. `make docs` writes it into the pages.

A page of docs/reference is written by hand, but for regions between two comments:

    <!-- generated: names rtflow.client.refs -->
    ...
    <!-- end of generated -->

What a region may ask for is in pages.py. The words come from docstrings, the rest from annotations;
where neither can say it there is a file beside the page (codes.toml, compatibility.toml).

Not here: whether the pages are up to date, and complete (tests/docs).
"""
