# SPDX-License-Identifier: Apache-2.0
"""HTTP and HTTPS: one client over requests."""
