cimport cython
from aiopromise._engine.core cimport (
    Core, adopt_outcome, detach_future, mark_handled, mark_propagated, settle_with, start_or_follow, fulfil_or_follow,
)
from aiopromise._engine.primitives cimport new
from aiopromise._engine.queue cimport Reaction
from aiopromise._engine.state cimport State, Upstream, has_only, subscribe, withdraw
from aiopromise._engine.tasks cimport Outcome
from aiopromise._loops cimport is_promise
from aiopromise._unhandled cimport Rejection

cdef Py_ssize_t FULFILLED, PENDING, REJECTED
cdef object CoroutineType, FUTURES


cdef class Input(Reaction):
    cdef public Group group
    cdef public Py_ssize_t index
    cdef public Core promise
    cdef public bint is_ending
    cpdef object detach(self)
    cpdef bint is_exclusive(self)
    cpdef object _react(self)


cdef class PrivateInput(Core):
    cdef public Group group
    cdef public Py_ssize_t index
    cdef public bint is_ending, is_owned
    cpdef object detach(self)
    cpdef bint is_exclusive(self)
    cpdef object _react(self)


cdef class Group(Upstream):
    cdef public dict _inputs
    cdef public list _late
    cdef public object _loop_run, _losers, _method
    cdef public Outcome _outcome
    cdef public bint _propagates
    cdef public Core promise
    cpdef object _on_all_added(self, count)
    cpdef object _on_input(self, Py_ssize_t index, Core promise)
    cpdef object _close(self)
    cpdef object _end(self)
    @cython.locals(input_=PrivateInput)
    cpdef object _join(self, Py_ssize_t index, item, dict started, list held)
    cpdef object _add(self, Reaction input_, Core promise)
    cpdef object _on_settled(self, Reaction input_, Py_ssize_t index, Core promise)
    cpdef bint _cancels(self, Reaction input_)
    @cython.locals(promise=Core)
    cpdef object _detach_losers(self)
    cpdef object _conclude(self, Outcome outcome)


@cython.locals(input_=PrivateInput, promise=Core)
cpdef object private_input(kind, Group group, Py_ssize_t index, bint is_owned)
cpdef Outcome failure(reason)
cpdef Outcome outcome_of(Core promise)
