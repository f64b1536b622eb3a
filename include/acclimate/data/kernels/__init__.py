"""Compiled loops over UTF-8 buffers and 64-bit hashes. They import numba: import them inside functions.

None of them holds the interpreter lock, so threads run them side by side. The machine code is cached
beside the sources (or in numba's cache directory where these cannot be written).
"""
