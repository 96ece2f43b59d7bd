cimport cython


@cython.final
cdef class Cancellation:
    cdef public object _error
    cdef public object args
    cpdef object retrieve(self, promise)


@cython.final
cdef class Rejection:
    cdef public object reason, traceback
    cdef public object _loop, _origin, _told
    cdef public bint _may_be_announced, _is_suspended
    cdef public bint propagated, from_cancelled_task
    cpdef object retrieve(self, promise)
