# SPDX-License-Identifier: Apache-2.0
"""Object stores on top of HTTP: S3, Google Cloud Storage, Azure Blob Storage."""
