# Objects of slotted dataclasses, made without a call of their `__init__`: a tree of a million nodes
# is made in a tenth of the time. Only for classes that have no `__post_init__`.
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF

cdef extern from "structmember.h":  # part of Python.h since 3.12
    ctypedef struct PyMemberDef:
        Py_ssize_t offset

cdef extern from "Python.h":
    ctypedef struct PyMemberDescrObject:
        PyMemberDef *d_member

    PyTypeObject *Py_TYPE(object o)
    object PyType_GenericAlloc(PyTypeObject *type, Py_ssize_t n_items)


cdef struct Shape:
    PyTypeObject *type
    Py_ssize_t slots[10]  # offset of each field in an object, in the order of declaration


cdef inline int learn(Shape *shape, object cls) except -1:
    """Find where the objects of a dataclass with `slots=True` keep their fields."""
    cdef int i
    fields = tuple(cls.__dataclass_fields__)
    if len(fields) > 10:
        raise TypeError(f"{cls.__name__} has more than 10 fields")
    for i, name in enumerate(fields):
        slot = getattr(cls, name)
        if type(slot).__name__ != "member_descriptor":
            raise TypeError(f"{cls.__name__}.{name} is no slot")
        shape.slots[i] = (<PyMemberDescrObject *> <PyObject *> slot).d_member.offset
    shape.type = <PyTypeObject *> <PyObject *> cls
    return 0


cdef inline object made(Shape *shape):
    """Return an object whose fields are still to be set, each once."""
    return PyType_GenericAlloc(shape.type, 0)


cdef inline void put(object target, Py_ssize_t slot, object value) noexcept:
    """Set a field of an object that was just made."""
    Py_INCREF(value)
    (<PyObject **> (<char *> <PyObject *> target + slot))[0] = <PyObject *> value


cdef inline bint is_a(object o, Shape *shape) noexcept:
    """Whether an object is of this very class."""
    return Py_TYPE(o) == shape.type


cdef inline object get(object o, Py_ssize_t slot):
    """Return a field of an object of the class that `slot` was learnt of."""
    return <object> (<PyObject **> (<char *> <PyObject *> o + slot))[0]
