from aiopromise._engine.core cimport (
    Core, adopt_outcome, detach_future, mark_handled, mark_propagated, resolve_with, settle_with,
)
from aiopromise._engine.queue cimport Queue, Reaction
from aiopromise._engine.state cimport State, Upstream, has_only, pending, subscribe, withdraw
from aiopromise._engine.tasks cimport Outcome
from aiopromise._unhandled cimport Rejection

cdef Py_ssize_t FULFILLED, PENDING, REJECTED


cdef class Input(Reaction):
    cdef public Group group
    cdef public object index
    cdef public Core promise
    cdef public bint is_asked
    cpdef object detach(self)
    cpdef bint is_last(self)
    cpdef object _react(self)


cdef class OwnedInput(Input):
    cpdef bint is_last(self)


cdef class ForeignInput(Input):
    cpdef object detach(self)
    cpdef bint is_last(self)


cdef class Group(Upstream):
    cdef public dict _inputs
    cdef public list _late
    cdef public object _losers, _method, _run
    cdef public Outcome _outcome
    cdef public bint _propagates
    cdef public Core promise
    cpdef object _started(self, count)
    cpdef object _arrived(self, Input input_)
    cpdef object _close(self)
    cpdef object _end(self)
    cpdef object _join(self, index, item, dict started)
    cpdef object _add(self, Input input_)
    cpdef object _heard(self, Input input_)
    cpdef object _conclude(self, Outcome outcome)


cpdef Outcome failure(reason)
cpdef Outcome outcome_of(Core promise)
