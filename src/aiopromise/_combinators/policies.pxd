from aiopromise._combinators.group cimport Group, failure, outcome_of
from aiopromise._engine.core cimport Core
from aiopromise._engine.tasks cimport Outcome

cdef Py_ssize_t FULFILLED, REJECTED


cdef class All(Group):
    cdef public list _found
    cdef public object _make
    cpdef object _on_all_added(self, count)
    cpdef object _on_input(self, Py_ssize_t index, Core promise)
    cdef object _complete(self)


cdef class AllSettled(All):
    cpdef object _on_input(self, Py_ssize_t index, Core promise)


cdef class Race(Group):
    cpdef object _on_all_added(self, count)
    cpdef object _on_input(self, Py_ssize_t index, Core promise)


cdef class Some(Group):
    cdef public object _count, _total
    cdef public list _values
    cdef public dict _reasons
    cpdef object _on_all_added(self, count)
    cpdef object _on_input(self, Py_ssize_t index, Core promise)


cdef class First(Some):
    pass
