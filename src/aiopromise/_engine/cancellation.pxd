from aiopromise._engine.core cimport (
    Core, adopt_outcome, adopt_state, detach_future, mark_handled, reject, settle,
)
from aiopromise._engine.queue cimport Queue
from aiopromise._engine.state cimport State, Upstream, has_only, settled, withdraw
from aiopromise._engine.tasks cimport cancel_requested
from aiopromise._unhandled cimport Cancellation

cdef Py_ssize_t CANCELLED, PENDING, REJECTED


cdef class PassThrough(Upstream):
    cdef public Py_ssize_t requests
    cdef public Core source, target


cdef class Shield(Upstream):
    cdef public Core source, target
    cpdef object _react(self)
