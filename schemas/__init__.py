"""The config language as one annotated model, for every version of spec 3.x.

Each class is one JSON object, each attribute one of its fields, and marks on the
attributes (`ignition.schemas.marks`) tell the history and the meaning of a field:
since when it exists, which values it takes, how lists of it merge. Decoding,
pruning by version, merging, duplicate checks and JSON Schemas are all derived
from the marks; nothing else knows field names by heart.
"""
