# SPDX-License-Identifier: Apache-2.0
"""JSON text to the model of the config language, and back."""
