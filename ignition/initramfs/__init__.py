"""How the engine gets into an initramfs: which files it takes, packed, tried out, checked.

Nothing here is kept by hand: `imports` reads the engine's own source, `probe` runs
in child interpreters and notes what importing and running the engine takes, `tree`
writes that down as a small Python installation, and the same trials are then run by
that installation alone. `image` looks into a finished image.

    imports ──▶ trials in this Python ──▶ tree ──▶ trials in the packed Python
              (noting modules, libraries)         (nothing new may be missing)
"""
