"""The Cython version of primitives.py, with the C API."""

cdef extern from *:
    """
    static PyObject *new_without_init(PyObject *kind, PyObject *no_arguments) {
        return ((PyTypeObject *)kind)->tp_new((PyTypeObject *)kind, no_arguments, NULL);
    }
    """
    object new_without_init(object kind, tuple no_arguments)
    object PyContext_CopyCurrent()
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1
    object PyWeakref_NewRef(object referent, object callback)
    void PyErr_SetObject(object kind, object value)


cpdef object copy_context():
    return PyContext_CopyCurrent()


cpdef object run_in(object context, object function, object argument):
    PyContext_Enter(context)
    try:
        return function(argument)
    finally:
        PyContext_Exit(context)


cpdef object new(object kind):
    return new_without_init(kind, ())


cpdef object weak_reference(object referent):
    return PyWeakref_NewRef(referent, None)


# Where Cython raises an exception it adds a traceback, which costs more than the rest of an await. It adds none for a bare
# `raise StopIteration` in `__next__()`, which only returns, and leaves the exception that is set here as it is.
cpdef object stop_iteration(object value):
    PyErr_SetObject(StopIteration, StopIteration(value))
