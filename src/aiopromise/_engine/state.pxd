cimport cython
from aiopromise._engine.primitives cimport new
from aiopromise._engine.queue cimport Queue, Reaction

cdef Py_ssize_t PENDING


cdef class State(Reaction):
    cdef public int _state
    cdef public bint _is_handled
    cdef public object _value, _reactions, _upstream, _handlers, _origin
    cdef public Queue _queue
    cdef object __weakref__


cdef class Upstream(Reaction):
    pass


@cython.locals(promise=State)
cpdef object pending(Queue queue, call, parent=*)
cpdef object begin(State promise, Queue queue, call, parent=*)
@cython.locals(promise=State)
cpdef object settled(Queue queue, Py_ssize_t state, value)
cpdef object subscribe(State promise, Reaction reaction, call=*)
cpdef object withdraw(State promise, reaction)
cpdef bint has_only(State promise, reaction)
cpdef bint is_awaited_by(State promise, other)
