cimport cython
from aiopromise._engine.core cimport Core, reject, reject_raised, resolve_with
from aiopromise._engine.primitives cimport new

cdef Py_ssize_t PENDING
cdef object _get_running_loop


@cython.freelist(16)
cdef class _Resolver:
    cdef public object _loop, _upstream
    cdef public Core _promise
    cpdef Core release(self)


cdef class Resolve(_Resolver):
    pass


cdef class Reject(_Resolver):
    pass


@cython.locals(resolve=Resolve, reject=Reject)
cpdef tuple resolvers_of(Core promise, upstream=*)
