"""How files below the target root are found and changed; `host/root.py` is the gate."""
