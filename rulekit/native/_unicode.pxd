# How a text of Python lies in memory; `kind` is the width of its characters in bytes.
# Declared here because Cython's own declarations bring all of `cpython.unicode` with them.

cdef extern from "Python.h":
    int PyUnicode_KIND(object text)
    void *PyUnicode_DATA(object text)
    Py_UCS4 PyUnicode_READ(int kind, void *data, Py_ssize_t index) nogil
    bint PyUnicode_IS_ASCII(object text)
    bytes PyUnicode_AsASCIIString(object text)
    str PyUnicode_Substring(object text, Py_ssize_t start, Py_ssize_t end)
