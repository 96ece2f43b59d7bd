cimport cython
from aiopromise._engine.awaiter cimport wait
from aiopromise._engine.core cimport Core, link, start_or_follow
from aiopromise._engine.state cimport begin, pending, subscribe, withdraw
from aiopromise._engine.tasks cimport is_awaitable
from aiopromise._loops cimport running_queue

cdef Py_ssize_t CANCELLED, FULFILLED, PENDING, REJECTED
cdef object give


@cython.final
cdef class ClassOnly:
    cdef readonly object __func__


@cython.final
cdef class Promise(Core):
    pass
