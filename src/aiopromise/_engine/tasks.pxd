cimport cython

cdef bint _HAS_EAGER_TASKS
cdef object FunctionType, MethodType, asyncio


cdef class Wrapper:
    cdef public object handler


@cython.final
cdef class Outcome:
    cdef public bint fulfilled
    cdef public object value


cpdef bint is_awaitable(value) except -1
cpdef object new_task(loop, coroutine)
cpdef object start(loop, coroutine, name, context)
cpdef bint cancel_requested(future) except -1
cpdef object name_of(handler)
