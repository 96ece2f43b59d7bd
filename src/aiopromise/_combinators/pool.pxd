cimport cython
from aiopromise._combinators.group cimport Group, PrivateInput, outcome_of, private_input
from aiopromise._engine.core cimport Core, call, resolve_with
from aiopromise._engine.primitives cimport copy_context
from aiopromise._engine.queue cimport Queue
from aiopromise._engine.tasks cimport Outcome

cdef Py_ssize_t PENDING


cdef class Pool(Group):
    cdef public object _context, _fn, _items, _iterator, _on_progress, _results
    cdef public Reader _reader
    cdef public bint _is_in_context
    cdef public double _limit
    cdef public Py_ssize_t _done, _started_calls
    cpdef object _react(self)
    cpdef object _run_user_code(self, step)
    cpdef object _start_calls(self)
    cpdef object _process_result(self, Py_ssize_t index, value)
    cpdef double _free_slots(self) except? -1
    @cython.locals(queue=Queue, called=Call)
    cpdef object _start_call(self, item)
    cpdef object _on_input(self, Py_ssize_t index, Core promise)
    cpdef object _end(self)
    cpdef object _close(self)


cdef class Call(PrivateInput):
    cdef public object _handler, _item
    cpdef object _react(self)


cdef class Reader(PrivateInput):
    cdef public object vacancy
    cdef public bint is_reading
    cpdef object detach(self)
