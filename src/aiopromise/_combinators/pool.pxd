from aiopromise._combinators.group cimport Group, Input, OwnedInput, outcome_of
from aiopromise._engine.core cimport Core, call, resolve_with
from aiopromise._engine.primitives cimport copy_context
from aiopromise._engine.queue cimport Queue
from aiopromise._engine.state cimport pending
from aiopromise._engine.tasks cimport Outcome

cdef Py_ssize_t PENDING


cdef class Pool(Group):
    cdef public object _context, _fn, _items, _iterator, _on_progress, _results, _vacancy
    cdef public Reader _reader
    cdef public bint _is_in_context, _is_reading
    cdef public double _limit
    cdef public Py_ssize_t _done, _started_calls
    cpdef object _react(self)
    cpdef object _do(self, step)
    cpdef object _start_calls(self)
    cpdef object _take_up(self, index, value)
    cpdef double _free_slots(self) except? -1
    cpdef object _call(self, item)
    cpdef object _arrived(self, Input input_)
    cpdef object _end(self)
    cpdef object _close(self)


cdef class Call(OwnedInput):
    cdef object _handler, _item, _context
    cpdef object _react(self)


cdef class Reader(Input):
    cpdef object detach(self)
    cpdef bint is_last(self)
