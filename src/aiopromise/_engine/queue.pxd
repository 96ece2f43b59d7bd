cimport cython
from aiopromise._engine.primitives cimport weak_reference
from aiopromise._unhandled cimport Rejection

cdef Py_ssize_t PENDING, _MOST, _MOST_ALONG
cdef double _SECONDS
# Not monotonic, which tests replace: what is declared here cannot be reached from Python.
cdef object Context


cdef class Reaction:
    cpdef object _react(self)


@cython.final
cdef class Queue:
    cdef public set running, cleanups, cancelled_last
    cdef public object loop, loop_class, promise_class, early_requests, go_on, cancelled_awaiters, shutdown_hook, tracer
    cdef public object items, run_forever, generators
    cdef public bint debug, traced, is_observed, is_finishing, is_in_cleanup, has_ended, _is_last_run
    cdef public Py_ssize_t cancel_depth
    cdef public object _append, _context, _every_task_was_cancelled, _start_shutdown_hook, _unhandled, _roots, _run_seen
    cdef public Py_ssize_t _roots_limit, _roots_before_cleanups
    cdef public bint _armed, _refuses, _scheduled

    cpdef object push(self, Reaction reaction)
    cpdef object extend(self, reactions)
    cpdef object track_unhandled(self, promise, rejection)
    cpdef object watch(self, root)
    cpdef bint has_cleanup(self)
    cpdef bint hold(self) except -1
    cpdef object flush(self, Py_ssize_t ran)
    cpdef object postpone(self)
    cpdef object look_at_loop(self)
    cdef object _arm(self)
    cdef object _drain(self, Py_ssize_t most)
    @cython.locals(count=Py_ssize_t, look=Py_ssize_t, end=double, reaction=Reaction)
    cdef object _run(self, Py_ssize_t most)


cpdef object run_handlers(Queue queue)
