# SPDX-License-Identifier: Apache-2.0
"""Files under `/run/ignition` that stages write for later stages and for the operator."""
