cimport cython
from aiopromise._engine.core cimport Core
from aiopromise._engine.primitives cimport copy_context, new, run_in, stop_iteration
from aiopromise._engine.queue cimport Queue, Reaction
from aiopromise._engine.state cimport has_only, subscribe, withdraw

cdef Py_ssize_t FULFILLED, PENDING, _PASSING_ON, _GAVE_UP, _NONE, _ROUND
cdef object asyncio


cdef class Awaiter(Reaction):
    cdef public bint _asyncio_future_blocking
    cdef public object _context, _request, _wakeup
    cdef public Core _promise
    cdef public Py_ssize_t _stage
    cpdef object _react(self)


@cython.locals(awaiter=Awaiter)
cpdef object wait(Core promise)
cpdef object _withdraw(Awaiter awaiter, message, already_cancelled, route)
cpdef object _give_up(Awaiter awaiter)
