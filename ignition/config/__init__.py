"""From bytes to one merged config: decoding, judging, upgrading, merging, fetching references.

Needs no machine and no root: it is a library for other people's programs too.
"""
