# SPDX-License-Identifier: Apache-2.0
"""Everything that a provider may use, and the image's own base configs."""
