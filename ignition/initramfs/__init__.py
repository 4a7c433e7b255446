# SPDX-License-Identifier: Apache-2.0
"""Pack the engine into an initramfs, and prove that the packed engine works.

No list of modules is maintained by hand. `imports` reads the engine's source, `probe` runs trials in a child
interpreter and notes the modules, data files and shared libraries that they need, and `packed_tree` writes a
small Python installation. The packed Python then runs the same trials. `image` checks a finished image.

    imports ──▶ trials in the build host's Python ──▶ packed_tree ──▶ trials in the packed Python
                (note modules and libraries)                          (fail if a module is missing)
"""
