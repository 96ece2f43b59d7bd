cimport cython
from aiopromise._engine.primitives cimport copy_context, new, run_in
from aiopromise._engine.queue cimport Queue
from aiopromise._engine.state cimport State, Upstream, is_awaited_by, subscribe
from aiopromise._engine.tasks cimport Outcome, is_awaitable, name_of, new_task, start, cancel_requested
from aiopromise._unhandled cimport Cancellation, Rejection

cdef Py_ssize_t CANCELLED, FULFILLED, PENDING, REJECTED
cdef object FUTURES, TASKS, CancelledError, Context, CoroutineType, TapCoroutine, _Future, _Task, listeners


cdef class Core(State):
    @cython.locals(source=Core)
    cpdef object _react(self)


cpdef object settle(State promise, Py_ssize_t state, value)
cpdef object adopt_state(State promise, State source)
cpdef object settle_with(State promise, Outcome outcome)
cpdef object reject(State promise, reason)
cdef bint _observes_rejections(State promise) except -1
cpdef object reject_raised(State promise, error)
cpdef bint reject_caught(State promise, error) except -1
cdef tuple _chosen(tuple handlers, State source)
@cython.locals(queue=Queue, child=State)
cpdef object link(State promise, method, on_fulfilled, on_rejected, catches=*)
cpdef object adopt_outcome(State promise, future)
cpdef object call(State promise, handler, argument, context)
cpdef object resolve_with(State promise, value, handler=*, context=*, bint cleanup=*)
cdef object _resolve_with_promise(State promise, State other, handler, context, bint cleanup)
@cython.locals(queue=Queue)
cdef object _run(State promise, coroutine, handler, context, bint cleanup)
cpdef object follow_future(State promise, future, keep)
cpdef object fulfil_or_follow(State promise, value)
@cython.locals(queue=Queue)
cpdef object start_or_follow(State promise, awaitable)
@cython.locals(queue=Queue)
cpdef object detach_future(State promise)
cpdef object mark_handled(State promise)
cpdef object mark_propagated(State promise)
