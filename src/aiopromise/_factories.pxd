from aiopromise._engine.core cimport broke_off, reject_raised, settle, start_or_follow
from aiopromise._engine.tasks cimport is_awaitable
from aiopromise._loops cimport is_promise, new_promise
from aiopromise._resolvers cimport Reject, Resolve

cdef Py_ssize_t FULFILLED


cpdef object resolve(value=*)
