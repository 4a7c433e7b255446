# SPDX-License-Identifier: Apache-2.0
"""The config language as one annotated model, for every version of spec 3.x.

Each class is one JSON object, each attribute one of its fields. Marks on the attributes
(`ignition.schemas.marks`) give the history and the meaning of a field: the version that introduced
it, its values, the way its lists merge. Decoding, pruning by version, merging, duplicate checks and
JSON Schemas are derived from the marks.
"""
